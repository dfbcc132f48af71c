"""How one photo becomes its protected pictures: on this machine, or by a service."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Literal

import httpx
from pydantic import ValidationError

from app.photo.canonical import PhotoLimits, canonical_photo
from cli.client import FinishedJob, Job, erase, fetch, follow, submit
from cli.errors import RequestFailed, Stopped
from cli.wishes import form_of
from diffam_client.contract.report import FACES, FaceReport, OnProgress, Progress
from diffam_client.contract.wish import Wish
from jobs.settings import Settings

if TYPE_CHECKING:
    from model_store.bundle import Bundle


@dataclass(frozen=True)
class Picture:
    """A finished file, what it wears, what became of every face, who made it, seconds by stage, and its undo file."""

    photo: bytes
    reference: str
    target: str | None
    strength: float | Literal["auto"]
    faces: list[FaceReport]
    bundle: dict[str, str]
    seconds: dict[str, float]
    undo: bytes | None = None


Make = Callable[[bytes, str | None, OnProgress], list[Picture]]
"""`make(upload, target, on_progress)`: the pictures to choose from.

Raises PhotoRejected, DiffAMError, StoreError, RequestFailed, Stopped.
"""


def limits_of(settings: Settings) -> PhotoLimits:
    """What a photo may be at the command line: as for the service, but in every format: no stranger sent it."""
    return PhotoLimits(settings.max_pixels, settings.max_side_px, settings.min_side_px, ("avif", "heic"))


def make_here(bundle: "Bundle", settings: Settings, wish: Wish, undo_to: str | None = None) -> Make:
    """Protect photos on this machine. undo_to: the public key for undo files, if there are to be any."""
    from protection.pipeline import protect_photos
    from protection.plan import Request

    name = {"name": bundle.catalog.name, "grade": bundle.catalog.grade}

    def make(upload: bytes, target: str | None, on_progress: OnProgress) -> list[Picture]:
        photo = canonical_photo(upload, limits_of(settings)).png
        request = Request(photo, wish.model_copy(update={"target_id": target}), undo_to)
        (protected,) = protect_photos(bundle, [request], on_progress)
        if isinstance(protected, Exception):
            raise protected
        return [
            Picture(
                each.photo, each.reference, each.target, each.strength, each.faces, name, protected.seconds, each.undo
            )
            for each in protected.candidates
        ]  # fmt: skip

    return make


def make_there(client: httpx.Client, wish: Wish, stop: Event) -> Make:
    """Have a service protect photos, one picture each, and erase every job afterwards; `stop` gives up early."""
    fields = form_of(wish)

    def wait(seconds: float) -> None:
        if stop.wait(seconds):
            raise Stopped("stopped while a photo was at the service")

    def make(upload: bytes, target: str | None, on_progress: OnProgress) -> list[Picture]:
        def on_change(job: Job) -> None:
            if job["progress"]:
                try:
                    told = Progress.model_validate(job["progress"])
                except (ValidationError, KeyError):  # a stage of a later service; the work goes on without a bar
                    return
                on_progress(told)

        job = submit(client, upload, wish.reference_id, target, fields, wait)
        try:
            finished = follow(client, job, on_change, wait)
            photo = fetch(client, finished, "result", wait)
        finally:
            erase(client, job)
        return [_picture(photo, finished)]

    return make


def _picture(photo: bytes, job: FinishedJob) -> Picture:
    """A job that succeeded, with its photo. Raises RequestFailed where a later service tells what is unknown here."""
    try:
        worn, faces = job["input"], FACES.validate_python(job["output"]["faces"])
        seconds = job["timings"]["stages_s"] or {}
        return Picture(photo, worn["reference_id"], worn["target_id"], worn["strength"], faces, job["bundle"], seconds)
    except (ValidationError, KeyError, TypeError) as error:
        raise RequestFailed("answer_unreadable", "the service reports on the photo in words unknown here") from error
