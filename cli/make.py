"""How one photo becomes its protected pictures: on this machine, or by a service."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Literal

from app.photo.canonical import PhotoLimits, canonical_photo
from cli.errors import CliError, Stopped
from cli.wishes import asked
from diffam_client import Client, ClientError, Job, NotOver
from diffam_client import Event as Change
from diffam_client import Picture as Made
from diffam_client.contract.job import JobInput
from diffam_client.contract.report import FaceReport, OnProgress
from diffam_client.contract.wish import NOTHING_KEPT, Kept, Wish
from jobs.settings import Settings

if TYPE_CHECKING:
    from model_store.bundle import Bundle

TIMEOUT_S = 120.0
LOOK_UP_S = 2.0
"""The longest that a photo at a service hears nothing of Ctrl-C."""


@dataclass(frozen=True)
class Picture:
    """A finished file, what it wears, what became of every face, who made it, seconds by stage, its undo file, and what
    it tells of the metadata that the photo came with."""

    photo: bytes
    reference: str
    target: str | None
    strength: float | Literal["auto"]
    faces: list[FaceReport]
    bundle: dict[str, str]
    seconds: dict[str, float]
    undo: bytes | None = None
    kept: Kept = NOTHING_KEPT


Make = Callable[[bytes, str | None, OnProgress], list[Picture]]
"""`make(upload, target, on_progress)`: the pictures to choose from.

Raises PhotoRejected, DiffAMError, StoreError, ClientError, Stopped.
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
        photo = canonical_photo(upload, limits_of(settings), wish.keep)
        kept = Kept.model_validate(photo.kept)
        request = Request(photo.png, wish.model_copy(update={"target_id": target}), undo_to, kept)
        (protected,) = protect_photos(bundle, [request], on_progress)
        if isinstance(protected, Exception):
            raise protected
        return [
            Picture(
                each.photo, each.reference, each.target, each.strength, each.faces, name, protected.seconds, each.undo,
                kept,
            )
            for each in protected.candidates
        ]  # fmt: skip

    return make


def make_there(client: Client, wish: Wish, stop: Event, undo_key: str | None = None) -> Make:
    """Have a service protect photos, and erase every job afterwards; `stop` gives up early.

    undo_key: opens the undo files, if there are to be any.
    """

    def make(upload: bytes, target: str | None, on_progress: OnProgress) -> list[Picture]:
        fields = asked(wish, target)
        if undo_key:
            fields["undo"], fields["undo_key"] = True, undo_key
        job = client.submit(upload, **fields)
        try:
            protected = client.fetch(_followed(client, job, on_progress, stop))
            undoing = [client.undo(job, index) if undo_key else None for index in range(len(protected.pictures))]
        finally:
            with suppress(ClientError):  # what cannot be erased goes when it expires
                client.erase(job)
        return [_picture(protected.job, *each) for each in zip(protected.pictures, undoing, strict=True)]

    return make


def service_at(server: str, settings: Settings, stop: Event) -> Client:
    """A client of the service at a URL, which waits for nothing once somebody asks to stop. Raises CliError."""

    def pause(seconds: float) -> None:
        if stop.wait(seconds):
            raise Stopped("stopped while a photo was at the service")

    key = settings.api_key.get_secret_value() if settings.api_key else None
    try:
        return Client(server, key, timeout_s=TIMEOUT_S, pause=pause)
    except ValueError as error:
        raise CliError(f"--server: {error}") from error


def _followed(client: Client, job: Job, on_progress: OnProgress, stop: Event) -> Job:
    """The job at its end, looked for often enough to stop soon when asked to. Raises ClientError, Stopped."""

    def check() -> None:
        if stop.is_set():
            raise Stopped("stopped while a photo was at the service")

    def tell(event: Change) -> None:
        check()
        if event.progress:
            on_progress(event.progress)

    while not job.is_over:
        check()
        try:
            job = client.wait(job, tell, timeout_s=LOOK_UP_S)
        except NotOver:
            job = client.get(job)
    return job


def _picture(job: Job, made: Made, undo: bytes | None) -> Picture:
    name, seconds = {"name": job.bundle.name, "grade": job.bundle.grade}, job.timings.stages_s or {}
    kept = job.input.kept if isinstance(job.input, JobInput) else NOTHING_KEPT
    return Picture(made.photo, made.reference, made.target, made.strength, list(made.faces), name, seconds, undo, kept)
