"""What the pipeline hands back, as far as the ledger needs to know it, and what a record keeps of it."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from diffam_client.contract.job import Candidate, OutputPhoto
from diffam_client.contract.report import FaceReport


class Picture(Protocol):
    """A finished file, its before/after picture (JPEG), what it wears, how it scores, and its undo file, if any."""

    @property
    def photo(self) -> bytes: ...
    @property
    def media_type(self) -> str: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def comparison(self) -> bytes: ...
    @property
    def reference(self) -> str: ...
    @property
    def target(self) -> str | None: ...
    @property
    def strength(self) -> float | Literal["auto"]: ...
    @property
    def faces(self) -> Sequence[FaceReport]: ...
    @property
    def undo(self) -> bytes | None: ...


class Protected(Protocol):
    """What the pipeline hands back: the pictures to choose from, and `seconds` per stage."""

    @property
    def candidates(self) -> Sequence[Picture]: ...
    @property
    def seconds(self) -> Mapping[str, float]: ...


def candidate_of(picture: Picture) -> Candidate:
    """The picture as a record keeps it, without its bytes."""
    photo = OutputPhoto(
        media_type=picture.media_type,
        bytes=len(picture.photo),
        sha256=hashlib.sha256(picture.photo).hexdigest(),
        width=picture.width,
        height=picture.height,
    )
    return Candidate(
        reference_id=picture.reference,
        target_id=picture.target,
        strength=picture.strength,
        photo=photo,
        faces=list(picture.faces),
    )
