"""What a photo is sent with: the fields of the service's form, as arguments that an editor completes."""

from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import IO, Any, Literal, Required, TypedDict

from diffam_client.contract.webhook import Event
from diffam_client.contract.wish import Effort, Keep, OutputFormat, Region, Treatment, Vary

Photo = str | PathLike[str] | bytes | IO[bytes]
"""A path, the bytes of a file, or a file that is open for reading."""
FIELDS = {"reference": "reference_id", "target": "target_id"}
"""Fields that go by a shorter name here."""
HEADERS = {"cancel_after_s": "Cancel-After", "idempotency_key": "Idempotency-Key"}
"""What goes in front of the form. All else is a field of it."""


class Asked(TypedDict, total=False):
    """What may be asked of a photo, and what is to hold for its job; what is left out, or None, the service decides.

    `diffam_client.contract.wish.Wish` says what the fields of a wish mean.
    """

    reference: Required[str]
    target: str | None
    strength: float | Literal["auto"]
    effort: Effort | None
    faces: Literal["all", "largest"] | Sequence[int]
    skip: Sequence[int]
    eyes: Sequence[float]
    regions: Sequence[Region]
    survival: Sequence[Treatment]
    keep: Sequence[Keep]
    judges: Literal["all", "none"] | Sequence[str] | None
    candidates: int
    vary: Vary
    output_format: OutputFormat | Literal["same"]
    quality: int
    ttl_s: int | None
    expires_in_s: int | None
    store: bool
    client_ref: str | None
    webhook_url: str | None
    webhook_events: Sequence[Event]
    undo: bool
    undo_key: str | None
    cancel_after_s: int | None
    idempotency_key: str | None


def photo_bytes(photo: Photo) -> bytes:
    """The bytes of a photo, which are sent as they are. Raises OSError."""
    if isinstance(photo, bytes | bytearray | memoryview):
        return bytes(photo)
    if isinstance(photo, str | PathLike):
        return Path(fspath(photo)).read_bytes()
    return photo.read()


def form_of(asked: Mapping[str, Any]) -> dict[str, str]:
    """The fields of the form."""
    told = {name: value for name, value in asked.items() if value is not None and name not in HEADERS}
    return {FIELDS.get(name, name): _spelled(name, value) for name, value in told.items()}


def headers_of(asked: Mapping[str, Any]) -> dict[str, str]:
    """The headers beside it."""
    return {header: str(asked[name]) for name, header in HEADERS.items() if asked.get(name) is not None}


def _spelled(name: str, value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, Sequence):
        return ",".join(str(each) for each in value) or ("none" if name == "judges" else "")
    return str(value)
