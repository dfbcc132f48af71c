"""The whole story in one function: `protect_photos` takes uploads of one style and gives finished, measured photos.

upload -> job -> batch -> invert -> make up -> composite -> score -> result. What comes before it (HTTP, the ledger)
only brings photos here; what comes after only carries the result away. A worker calls the three parts one by one:
photos share the accelerator in the middle one, before and after it each is on its own.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, islice
from time import perf_counter
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from diffam_core.errors import DiffAMError
from diffam_core.faces.face import FoundFace
from diffam_core.generation import autocast
from diffam_core.images import MEDIA_TYPES, Photo, decode_photo, decode_rgba, encode_photo
from diffam_core.models import Models
from jobs.wish import Wish
from model_store.bundle import Bundle
from protection.batch import prepare
from protection.comparison import draw_comparison
from protection.compositing import composite
from protection.makeup import Wearing, make_up
from protection.plan import Request, Variant, choose_faces, plan_variants
from protection.scoring import face_facts, score_faces
from protection.strength import GRID

Result = TypeVar("Result")
Row = TypeVar("Row")
AUTO_ROWS = 1 + len(GRID)
OnProgress = Callable[[str, int, int], None]
"""`on_progress(stage, step, steps)`; stages: detect, invert, make_up, composite, score."""


@dataclass(frozen=True)
class Candidate:
    """A finished file, its before/after picture (JPEG), what it wears, and JSON-able facts and scores per face."""

    photo: bytes
    media_type: str
    width: int
    height: int
    comparison: bytes
    reference: str
    target: str
    strength: float | Literal["auto"]
    faces: list[dict[str, Any]]


@dataclass(frozen=True)
class ProtectedPhoto:
    """The pictures to choose from, the one that was asked for first, and seconds per stage: `invert` and `make_up` of
    its batch, the others of the photo alone."""

    candidates: list[Candidate]
    seconds: dict[str, float]


@dataclass(frozen=True, eq=False)
class Upload:
    """A decoded photo with its faces: those to protect, `chosen`, and those that one job has no room for, `beyond`."""

    wish: Wish
    photo: Photo
    alpha: NDArray[np.uint8] | None
    found: list[FoundFace]
    chosen: tuple[int, ...]
    beyond: tuple[int, ...]
    seconds: float

    @property
    def rows(self) -> int:
        """How many portraits it brings into forward passes: what it costs a batch."""
        return len(self.chosen) * rows_per_face(self.wish)


def rows_per_face(wish: Wish) -> int:
    """How often a face is made up for a wish: once per picture to choose from, and for every strength that is tried."""
    return wish.candidates * (AUTO_ROWS if wish.strength == "auto" else 1)


def open_photo(models: Models, max_faces: int | None, request: Request) -> Upload:
    """Decode a photo, find its faces and choose those to protect: `max_faces` at most, and fewer where each is made up
    more often than `auto` does.

    Raises PhotoUnreadable, NoFaceFound, FaceUnknown, FaceTooSmall, FaceInProfile.
    """
    started = perf_counter()
    photo, alpha = decode_rgba(request.photo)
    found = models.find_faces(photo)
    most = None if max_faces is None else min(max_faces, max(1, max_faces * AUTO_ROWS // rows_per_face(request.wish)))
    chosen = choose_faces(found, request.wish.faces, most)
    return Upload(request.wish, photo, alpha, found, chosen.within, chosen.beyond, round(perf_counter() - started, 4))


@dataclass(frozen=True, eq=False)
class MadeUp:
    """A photo with what its looks change: for each look, in order, one wearing per chosen face."""

    upload: Upload
    variants: list[Variant]
    worn: list[list[Wearing]]
    seconds: dict[str, float]


def protect_photos(
    bundle: Bundle, requests: Sequence[Request], on_progress: OnProgress
) -> list[ProtectedPhoto | DiffAMError]:
    """Protect photos that share reference and target; a photo that cannot be protected fails alone.

    Returns one entry per request, in order. Raises StoreError when the style does not exist.
    """
    results: list[Upload | MadeUp | ProtectedPhoto | DiffAMError]
    with _stage("detect", {}, on_progress):
        results = [_or_why_not(open_photo, bundle.models, None, request) for request in requests]
    made_up = iter(make_photos_up(bundle, [each for each in results if isinstance(each, Upload)], on_progress))
    opened = [next(made_up) if isinstance(each, Upload) else each for each in results]
    return [
        _or_why_not(finish_photo, bundle, each, on_progress) if isinstance(each, MadeUp) else each for each in opened
    ]


def make_photos_up(bundle: Bundle, uploads: Sequence[Upload], on_progress: OnProgress) -> list[MadeUp]:
    """Invert and make up the chosen faces of photos that share reference and target, in shared forward passes.

    Raises StoreError when the style does not exist.
    """
    if not uploads:
        return []
    models = bundle.models
    seconds: dict[str, float] = {}
    plans = [plan_variants(bundle, upload.wish) for upload in uploads]
    with _stage("invert", seconds, on_progress) as step, torch.inference_mode(), autocast(models):
        rows = prepare(models, [(upload.photo, upload.found[i]) for upload in uploads for i in upload.chosen], step)
        faces = _deal(rows, [len(upload.chosen) for upload in uploads])
    with _stage("make_up", seconds, on_progress) as step, torch.inference_mode(), autocast(models):
        wishes = [(face, variant) for plan, own in zip(plans, faces, strict=True) for variant in plan for face in own]
        worn = iter(
            _deal(
                make_up(bundle, wishes, step), [len(u.chosen) for u, p in zip(uploads, plans, strict=True) for _ in p]
            )
        )
    return [
        MadeUp(upload, plan, [next(worn) for _ in plan], seconds) for upload, plan in zip(uploads, plans, strict=True)
    ]


def finish_photo(bundle: Bundle, made_up: MadeUp, on_progress: OnProgress) -> ProtectedPhoto:
    """Composite every look into its photo and measure the finished files. Raises PhotoUnwritable."""
    upload, variants, worn = made_up.upload, made_up.variants, made_up.worn
    seconds = {"detect": upload.seconds} | made_up.seconds
    with _stage("composite", seconds, on_progress), torch.inference_mode():
        files = [_composite(upload, wearings) for wearings in worn]
    with _stage("score", seconds, on_progress) as step, torch.inference_mode():
        faces = count()

        def on_face() -> None:
            step(next(faces), len(variants) * len(upload.chosen))

        candidates = [_score(bundle, upload, *each, on_face) for each in zip(variants, worn, files, strict=True)]
    return ProtectedPhoto(candidates, seconds)


def _or_why_not(act: Callable[..., Result], *arguments: Any) -> Result | DiffAMError:
    """What `act` returns, or what speaks against it."""
    try:
        return act(*arguments)
    except DiffAMError as error:
        return error


def detect_faces(models: Models, photo: bytes) -> list[dict[str, Any]]:
    """The first stop alone: facts of every face in an encoded photo, largest first. Raises PhotoUnreadable."""
    return [face_facts(index, face, None) for index, face in enumerate(models.find_faces(decode_photo(photo)))]


def _composite(upload: Upload, worn: Sequence[Wearing]) -> bytes:
    """The finished file of one candidate: every face's change in its own place, nothing else moved."""
    photo = composite(upload.photo, [(each.face, each.residual) for each in worn], upload.wish.regions)
    return encode_photo(photo, upload.wish.output_format, alpha=upload.alpha, is_marked=True)


def _score(
    bundle: Bundle, upload: Upload, variant: Variant, worn: Sequence[Wearing], file: bytes, on_face: Callable[[], None]
) -> Candidate:
    """Measure the file that the user gets: decoded again, its faces found again; `on_face` comes before each."""
    protected = decode_photo(file)
    rows = score_faces(
        bundle, upload.photo, upload.found, upload.beyond, variant.style, worn, protected, upload.wish.survival, on_face
    )
    height, width = protected.shape[:2]
    return Candidate(
        photo=file,
        media_type=MEDIA_TYPES[upload.wish.output_format],
        width=width,
        height=height,
        comparison=draw_comparison(upload.photo, protected, rows),
        reference=variant.style.reference,
        target=variant.style.target,
        strength=variant.strength,
        faces=rows,
    )


def _deal(rows: Sequence[Row], counts: Sequence[int]) -> list[list[Row]]:
    """What lies in a row, in portions of `counts`."""
    rest = iter(rows)
    return [list(islice(rest, count)) for count in counts]


@contextmanager
def _stage(name: str, seconds: dict[str, float], on_progress: OnProgress) -> Iterator[Callable[[int, int], None]]:
    """Report a stage's start, its steps and its end, and take its time."""
    started = perf_counter()
    on_progress(name, 0, 1)
    yield lambda step, steps: on_progress(name, step, steps)
    on_progress(name, 1, 1)
    seconds[name] = round(perf_counter() - started, 4)
