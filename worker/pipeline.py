"""The whole story in one function: `protect_photos` takes uploads of one style and gives finished, measured photos.

upload -> job -> batch -> invert -> make up -> composite -> score -> result. What comes before it (HTTP, the ledger, the
batcher) only brings photos here; what comes after only carries the result away.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffam_core.composite import change, region_weights
from diffam_core.errors import DiffAMError
from diffam_core.faces import FoundFace, native_px, paste_changes
from diffam_core.images import MEDIA_TYPES, Photo, decode_photo, decode_rgba, encode_photo
from diffam_core.models import Models
from diffam_core.palette import fit_palette
from diffam_core.protect import autocast
from model_store.bundle import Bundle
from worker.comparison import draw_comparison
from worker.makeup import Face, Wearing, make_up, prepare
from worker.request import Look, ProtectRequest, choose_faces, plan_looks
from worker.scoring import face_facts, score_faces

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
    """The pictures to choose from, the one that was asked for first, and seconds per stage of the batch."""

    candidates: list[Candidate]
    seconds: dict[str, float]


@dataclass(frozen=True, eq=False)
class Upload:
    """A decoded photo with its faces, those that are to be protected, and the looks to try."""

    request: ProtectRequest
    photo: Photo
    alpha: NDArray[np.uint8] | None
    found: list[FoundFace]
    chosen: tuple[int, ...]
    looks: list[Look]


def protect_photos(
    bundle: Bundle, requests: Sequence[ProtectRequest], on_progress: OnProgress
) -> list[ProtectedPhoto | DiffAMError]:
    """Protect photos that share reference and target in one batch; a photo that cannot be protected fails alone.

    Returns one entry per request, in order. Raises StoreError when the style does not exist.
    """
    models = bundle.models
    seconds: dict[str, float] = {}

    with _stage("detect", seconds, on_progress):
        opened = [_open(request, bundle) for request in requests]
    uploads = [upload for upload in opened if isinstance(upload, Upload)]
    if not uploads:
        return [upload for upload in opened if isinstance(upload, DiffAMError)]

    with _stage("invert", seconds, on_progress) as step, torch.inference_mode(), autocast(models):
        faces = prepare(models, [(upload.photo, upload.found[i]) for upload in uploads for i in upload.chosen], step)
    per_upload = _deal(faces, [len(upload.chosen) for upload in uploads])
    with _stage("make_up", seconds, on_progress) as step, torch.inference_mode(), autocast(models):
        looks = [(face, look) for u, own in zip(uploads, per_upload, strict=True) for look in u.looks for face in own]
        worn = iter(make_up(bundle, looks, step))
    with _stage("composite", seconds, on_progress), torch.inference_mode():
        wearings = [[[next(worn) for _ in u.chosen] for _ in u.looks] for u in uploads]
        files = [[_composite(u, w, models) for w in each] for u, each in zip(uploads, wearings, strict=True)]
    with _stage("score", seconds, on_progress) as step, torch.inference_mode():
        finished = [
            ProtectedPhoto([_score(bundle, u, *candidate) for candidate in zip(u.looks, w, f, strict=True)], seconds)
            for u, w, f in zip(uploads, wearings, files, strict=True)
        ]

    in_order = iter(finished)
    return [next(in_order) if isinstance(upload, Upload) else upload for upload in opened]


def detect_faces(models: Models, photo: bytes) -> list[dict[str, Any]]:
    """The first stop alone: facts of every face in an encoded photo, largest first. Raises PhotoUnreadable."""
    return [face_facts(index, face, None) for index, face in enumerate(models.find_faces(decode_photo(photo)))]


def _open(request: ProtectRequest, bundle: Bundle) -> Upload | DiffAMError:
    looks = plan_looks(bundle, request)
    try:
        photo, alpha = decode_rgba(request.photo)
        found = bundle.models.find_faces(photo)
        return Upload(request, photo, alpha, found, choose_faces(found, request.faces), looks)
    except DiffAMError as error:
        return error


def _composite(upload: Upload, worn: Sequence[Wearing], models: Models) -> bytes:
    """The finished file of one candidate: every face's change in its own place, nothing else moved."""
    changes: list[tuple[FoundFace, Tensor]] = []
    for wearing in worn:
        face = wearing.face
        weights = region_weights(face.regions, upload.request.regions)
        size = native_px(face.found, models.portrait_px)
        delta = change(wearing.residual, face.mask, size, weights)[0]
        changes.append((face.found, fit_palette(delta, upload.photo, face.found)))
    pasted = paste_changes(upload.photo, changes)
    return encode_photo(pasted, upload.request.output_format, alpha=upload.alpha, is_marked=True)


def _score(bundle: Bundle, upload: Upload, look: Look, worn: Sequence[Wearing], file: bytes) -> Candidate:
    """Measure the file that the user gets: decoded again, its faces found again."""
    protected = decode_photo(file)
    rows = score_faces(bundle, upload.photo, upload.found, look.style, worn, protected, upload.request.survival)
    height, width = protected.shape[:2]
    return Candidate(
        photo=file,
        media_type=MEDIA_TYPES[upload.request.output_format],
        width=width,
        height=height,
        comparison=draw_comparison(upload.photo, protected, rows),
        reference=look.style.reference,
        target=look.style.target,
        strength=look.strength,
        faces=rows,
    )


def _deal(faces: Sequence[Face], counts: Sequence[int]) -> list[list[Face]]:
    """Faces that lie in a row, back in portions of `counts`."""
    rest = iter(faces)
    return [[next(rest) for _ in range(count)] for count in counts]


@contextmanager
def _stage(name: str, seconds: dict[str, float], on_progress: OnProgress) -> Iterator[Callable[[int, int], None]]:
    """Report a stage's start, its steps and its end, and take its time."""
    started = perf_counter()
    on_progress(name, 0, 1)
    yield lambda step, steps: on_progress(name, step, steps)
    on_progress(name, 1, 1)
    seconds[name] = round(perf_counter() - started, 4)
