"""The whole story in one function: `protect_photos` takes uploads of one style and gives finished, measured photos.

upload -> job -> batch -> invert -> make up -> composite -> score -> result. What comes before it (HTTP, the ledger)
only brings photos here; what comes after only carries the result away. A worker calls the three parts one by one:
photos share the accelerator in the middle one, before and after it each is on its own. A thorough result is refined
between composite and score.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Literal, ParamSpec, TypeVar

import torch

from diffam_client.contract.report import FaceReport, OnProgress, Progress, Stage
from diffam_core.errors import DiffAMError
from diffam_core.generation import OnStep
from diffam_core.images import MEDIA_TYPES, Photo, decode_photo, decode_rgba, encode_photo
from diffam_core.models import Models
from model_store.bundle import Bundle
from protection.batch import invert, within
from protection.comparison import draw_comparison
from protection.compositing import composite
from protection.makeup import make_up
from protection.plan import AUTO_ROWS, Request, Upload, Variant, find_faces, plan_variants, rows_per_face
from protection.refining import is_thorough, refine_faces
from protection.scoring import score_faces, seen_face
from protection.strength import Wearing
from protection.undo import seal

Result = TypeVar("Result")
Asked = ParamSpec("Asked")


@dataclass(frozen=True, eq=False)
class MadeUp:
    """A photo with what its variants change: for each, in order, one wearing per chosen face."""

    upload: Upload
    variants: list[Variant]
    worn: list[Wearing]
    seconds: dict[str, float]


@dataclass(frozen=True)
class Candidate:
    """A finished file, its before/after picture (JPEG), what it wears, and what became of every face.

    undo: the file that brings the original pixels back, where one was asked for.
    """

    photo: bytes
    media_type: str
    width: int
    height: int
    comparison: bytes
    reference: str
    target: str | None
    strength: float | Literal["auto"]
    faces: list[FaceReport]
    undo: bytes | None = None


@dataclass(frozen=True)
class ProtectedPhoto:
    """The pictures to choose from, the one that was asked for first, and seconds per stage: `invert` and `make_up` of
    its batch, the others of the photo alone."""

    candidates: list[Candidate]
    seconds: dict[str, float]


def protect_photos(
    bundle: Bundle, requests: Sequence[Request], on_progress: OnProgress
) -> list[ProtectedPhoto | DiffAMError]:
    """Protect photos that share reference and target; a photo that cannot be protected fails alone.

    Returns one entry per request, in order. Raises StoreError when the style does not exist.
    """
    with _stage("detect", {}, on_progress):
        opened = [_or_why_not(open_photo, bundle.models, None, request) for request in requests]
    uploads = [each for each in opened if isinstance(each, Upload)]
    made_up = {each.upload: each for each in make_photos_up(bundle, uploads, on_progress)}
    return [
        _or_why_not(finish_photo, bundle, made_up[each], on_progress) if isinstance(each, Upload) else each
        for each in opened
    ]


def open_photo(models: Models, max_faces: int | None, request: Request) -> Upload:
    """Decode a photo, find its faces and choose those to protect: `max_faces` at most, and fewer where each is made up
    more often than `auto` does.

    Raises PhotoUnreadable, EyesMisplaced, NoFaceFound, FaceUnknown, NoFaceLeft, FaceTooSmall, FaceInProfile.
    """
    started = perf_counter()
    photo, alpha = decode_rgba(request.photo)
    most = None if max_faces is None else min(max_faces, max(1, max_faces * AUTO_ROWS // rows_per_face(request.wish)))
    found, chosen = find_faces(models.detector, photo, request.wish, most)
    seconds = round(perf_counter() - started, 4)
    besides = (request.undo_to, request.kept)
    return Upload(request.wish, photo, alpha, found, chosen.within, chosen.beyond, seconds, *besides)


def make_photos_up(bundle: Bundle, uploads: Sequence[Upload], on_progress: OnProgress) -> list[MadeUp]:
    """Invert and make up the chosen faces of photos that share reference and target, in shared forward passes.

    Raises StoreError when the style does not exist.
    """
    if not uploads:
        return []
    seconds: dict[str, float] = {}
    plans = {upload: plan_variants(bundle, upload.wish) for upload in uploads}
    with _stage("invert", seconds, on_progress) as step:
        faces = invert(bundle.models, uploads, step)
    wishes = [
        (face, variant)
        for upload, variants in plans.items()
        for variant in variants
        for face in faces
        if face.upload is upload
    ]
    with _stage("make_up", seconds, on_progress) as step:
        worn = make_up(bundle, wishes, step)
    return [
        MadeUp(upload, variants, [each for each in worn if each.face.upload is upload], dict(seconds))
        for upload, variants in plans.items()
    ]


def finish_photo(bundle: Bundle, made_up: MadeUp, on_progress: OnProgress) -> ProtectedPhoto:
    """Composite every variant into its photo, refine its faces where that is asked for, and measure the finished files.

    Raises PhotoUnwritable.
    """
    seconds: dict[str, float] = {}
    by_variant = [[each for each in made_up.worn if each.variant is variant] for variant in made_up.variants]
    with _stage("composite", seconds, on_progress), torch.inference_mode():
        photos = [_composite(made_up.upload, worn) for worn in by_variant]
    if is_thorough(bundle, made_up.upload.wish):
        with _stage("refine", seconds, on_progress) as step:
            for number, worn in enumerate(by_variant):
                photos[number] = refine_faces(bundle, worn, photos[number], within(step, number, len(by_variant)))
    with _stage("score", seconds, on_progress) as step, torch.inference_mode():
        candidates = [
            _score(bundle, made_up.upload, worn, photo, within(step, number, len(by_variant)))
            for number, (worn, photo) in enumerate(zip(by_variant, photos, strict=True))
        ]
    return ProtectedPhoto(candidates, {"detect": made_up.upload.seconds} | made_up.seconds | seconds)


def detect_faces(models: Models, photo: bytes) -> list[FaceReport]:
    """The first stop alone: every face in an encoded photo, largest first. Raises PhotoUnreadable."""
    return [seen_face(index, face) for index, face in enumerate(models.detector.all(decode_photo(photo)))]


def _composite(upload: Upload, worn: Sequence[Wearing]) -> Photo:
    """One candidate: every face's change in its own place, nothing else moved."""
    return composite(upload.photo, [(each.face, each.residual) for each in worn], upload.wish.regions)


def _write(upload: Upload, photo: Photo) -> bytes:
    """The finished file of one candidate."""
    return encode_photo(photo, upload.wish.output_format, upload.wish.quality, upload.alpha, upload.kept.told)


def _score(bundle: Bundle, upload: Upload, worn: Sequence[Wearing], photo: Photo, on_step: OnStep) -> Candidate:
    """Write the file that the user gets, and measure it: decoded again, its faces found again."""
    file = _write(upload, photo)
    finished = decode_photo(file)
    faces = score_faces(bundle, upload, worn, finished, on_step)
    height, width = finished.shape[:2]
    variant = worn[0].variant
    return Candidate(
        photo=file,
        media_type=MEDIA_TYPES[upload.wish.output_format],
        width=width,
        height=height,
        comparison=draw_comparison(upload.photo, finished, faces),
        reference=variant.style.reference,
        target=variant.style.target,
        strength=variant.strength,
        faces=faces,
        undo=seal(upload.photo, finished, upload.alpha, upload.undo_to) if upload.undo_to else None,
    )


def _or_why_not(act: Callable[Asked, Result], *asked: Asked.args, **besides: Asked.kwargs) -> Result | DiffAMError:
    """What `act` returns, or what speaks against it."""
    try:
        return act(*asked, **besides)
    except DiffAMError as error:
        return error


@contextmanager
def _stage(name: Stage, seconds: dict[str, float], on_progress: OnProgress) -> Iterator[OnStep]:
    """Report a stage's start, its steps and its end, and take its time."""

    def step(done: int, steps: int) -> None:
        on_progress(Progress(stage=name, step=done, steps=steps))

    started = perf_counter()
    step(0, 1)
    yield step
    step(1, 1)
    seconds[name] = round(perf_counter() - started, 4)
