"""The whole story in one function: `protect_photos` takes uploads of one style and gives finished, measured photos.

upload -> job -> batch -> invert -> make up -> composite -> score -> result. What comes before it (HTTP, the ledger, the
batcher) only brings photos here; what comes after only carries the result away.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from diffam_core.composite import change, face_probability
from diffam_core.errors import DiffAMError
from diffam_core.faces import FoundFace, cut_portrait, native_px, paste_change, stack_portraits
from diffam_core.images import OutputFormat, Photo, decode_photo, encode_photo
from diffam_core.models import Models
from diffam_core.protect import autocast, generate, latents
from diffam_core.score import Match, Quality, matches, quality
from model_store.bundle import Bundle, style_name
from model_store.catalog import StyleCard
from worker.comparison import draw_comparison

OnProgress = Callable[[str, int, int], None]
"""`on_progress(stage, step, steps)`; stages: detect, invert, make_up, composite, score."""
MEDIA_TYPES: dict[OutputFormat, str] = {"png": "image/png", "jpeg": "image/jpeg"}


@dataclass(frozen=True)
class ProtectRequest:
    """An encoded photo and what to do with it; without a target, the first one the look was trained for."""

    photo: bytes
    reference: str
    target: str | None
    output_format: OutputFormat = "png"


@dataclass(frozen=True)
class ProtectedPhoto:
    """A finished file, its before/after picture (JPEG), JSON-able scores per face, seconds per stage of its batch."""

    photo: bytes
    media_type: str
    width: int
    height: int
    comparison: bytes
    faces: list[dict[str, Any]]
    seconds: dict[str, float]


@dataclass(frozen=True)
class _Upload:
    request: ProtectRequest
    photo: Photo
    face: FoundFace


def protect_photos(
    bundle: Bundle, requests: Sequence[ProtectRequest], on_progress: OnProgress
) -> list[ProtectedPhoto | DiffAMError]:
    """Protect photos that share reference and target in one batch; a photo that cannot be protected fails alone.

    Returns one entry per request, in order. Raises StoreError when the style does not exist.
    """
    models, style = bundle.models, bundle.find_style(requests[0].reference, requests[0].target)
    adapter = style_name(style.reference, style.target)
    seconds: dict[str, float] = {}

    with _stage("detect", seconds, on_progress):
        uploads = [_open(request, models) for request in requests]
    faces = [upload for upload in uploads if isinstance(upload, _Upload)]
    if not faces:
        return [upload for upload in uploads if isinstance(upload, DiffAMError)]

    with _stage("invert", seconds, on_progress) as step, torch.inference_mode(), autocast(models):
        portraits = stack_portraits([f.photo for f in faces], [f.face for f in faces], models.portrait_px)
        latent = latents(models, portraits.to(models.device), step)
    with _stage("make_up", seconds, on_progress) as step, torch.inference_mode(), autocast(models):
        made_up = generate(models, latent, adapter, step)
        reconstruction = generate(models, latent, None)
    with _stage("composite", seconds, on_progress), torch.inference_mode():
        masks = face_probability(models.parser, portraits.to(models.device))
        files = [_composite(f, made_up[i], reconstruction[i], masks[i]) for i, f in enumerate(faces)]
    with _stage("score", seconds, on_progress), torch.inference_mode():
        results = [_score(bundle, style, f, file, seconds) for f, file in zip(faces, files, strict=True)]

    finished = iter(results)
    return [next(finished) if isinstance(upload, _Upload) else upload for upload in uploads]


def _open(request: ProtectRequest, models: Models) -> _Upload | DiffAMError:
    try:
        photo = decode_photo(request.photo)
        return _Upload(request, photo, models.find_face(photo))
    except DiffAMError as error:
        return error


def _composite(upload: _Upload, made_up: Tensor, reconstruction: Tensor, mask: Tensor) -> bytes:
    size = native_px(upload.face, made_up.shape[-1])
    delta = change((made_up - reconstruction)[None], mask[None], size)[0]
    return encode_photo(paste_change(upload.photo, upload.face, delta), upload.request.output_format)


def _score(bundle: Bundle, style: StyleCard, upload: _Upload, file: bytes, seconds: dict[str, float]) -> ProtectedPhoto:
    """Measure the file that the user gets: decoded again, cut out again."""
    models, protected = bundle.models, decode_photo(file)
    before, after = (
        cut_portrait(photo, upload.face, models.view_px).to(models.device) for photo in (upload.photo, protected)
    )
    found = matches(models, before, after, bundle.targets[style.target].test.to(models.device))
    look = quality(models, before, after)
    row = _report(style, upload.face, found, look)
    height, width = protected.shape[:2]
    return ProtectedPhoto(
        photo=file,
        media_type=MEDIA_TYPES[upload.request.output_format],
        width=width,
        height=height,
        comparison=draw_comparison(upload.photo, protected, row),
        faces=[row],
        seconds=seconds,
    )


def _report(style: StyleCard, face: FoundFace, found: dict[str, Match], look: Quality) -> dict[str, Any]:
    return {
        "box": list(face.box),
        "reference": style.reference,
        "target": style.target,
        "scores": {"psnr_db": round(look.psnr_db, 2), "ssim": round(look.ssim, 4), "lpips": round(look.lpips, 4)},
        "recognisers": [
            {
                "name": name,
                "role": style.role_of(name),
                "own_match_before": round(match.own_before, 4),
                "own_match": round(match.own_after, 4),
                "target_match_before": round(match.target_before, 4),
                "target_match": round(match.target_after, 4),
                "threshold_far_0.01": round(match.threshold, 4),
                "dodged": match.is_dodged,
                "impersonated": match.is_impersonating,
            }
            for name, match in found.items()
        ],
    }


@contextmanager
def _stage(name: str, seconds: dict[str, float], on_progress: OnProgress) -> Iterator[Callable[[int, int], None]]:
    """Report a stage's start, its steps and its end, and take its time."""
    started = perf_counter()
    on_progress(name, 0, 1)
    yield lambda step, steps: on_progress(name, step, steps)
    on_progress(name, 1, 1)
    seconds[name] = round(perf_counter() - started, 4)
