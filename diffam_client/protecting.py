"""The whole way of one photo: sent, watched, fetched."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Literal, Unpack

from diffam_client.answers import ask
from diffam_client.asking import Asked, Photo, photo_bytes
from diffam_client.calls import place_of, result, send, submit
from diffam_client.contract.job import Job, JobInput
from diffam_client.contract.report import FaceReport, Verdict, protected
from diffam_client.errors import AnswerUnreadable, ClientError, JobFailed
from diffam_client.retrying import ONCE
from diffam_client.watching import OnProgress, wait
from diffam_client.wire import Wire

SUFFIXES = {
    "image/png": (".png",), "image/jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"), "image/webp": (".webp",),
    "image/avif": (".avif",), "image/heic": (".heic", ".heif"),
}  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """A finished file: what it wears, whom it is to resemble, and what became of every face.

    strength: "auto" where each face tells its own.  target: None: anybody but its owner.
    """

    photo: bytes = field(repr=False)
    media_type: str
    reference: str
    target: str | None
    strength: float | Literal["auto"]
    faces: Sequence[FaceReport] = field(repr=False)

    @property
    def verdicts(self) -> list[Verdict]:
        """How well each face that was made up is hidden, largest first."""
        return [face.verdict for face in protected(self.faces)]

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the file; returns where. Raises ValueError: the name promises another format; OSError."""
        there = Path(path)
        kinds = [kind for kind, suffixes in SUFFIXES.items() if there.suffix.lower() in suffixes]
        if kinds not in ([], [self.media_type]):
            raise ValueError(f"the photo is {self.media_type}: name it so, or ask for another output_format")
        there.write_bytes(self.photo)
        return there


@dataclass(frozen=True)
class Protected:
    """What came of a photo. pictures: those to choose from; the first is the one that was asked for."""

    job: Job
    pictures: Sequence[Picture]

    @property
    def photo(self) -> bytes:
        """The first picture's file."""
        return self.pictures[0].photo

    @property
    def media_type(self) -> str:
        """Of that file: `image/jpeg`, `image/png`, ..."""
        return self.pictures[0].media_type

    @property
    def faces(self) -> Sequence[FaceReport]:
        """What became of every face, measured on that file."""
        return self.pictures[0].faces

    @property
    def verdicts(self) -> list[Verdict]:
        """How well each of its faces that was made up is hidden, largest first."""
        return self.pictures[0].verdicts

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the first picture; returns where. Raises ValueError: the name promises another format; OSError."""
        return self.pictures[0].save(path)


async def protect(
    wire: Wire,
    photo: Photo,
    on_progress: OnProgress | None = None,
    timeout_s: float | None = None,
    **asked: Unpack[Asked],
) -> Protected:
    """Protect a photo: send it, wait, fetch what came of it. The arguments are those of `submit` and `wait`.

    It comes back in the format of the upload unless `output_format` says otherwise. Whoever stops waiting, by Ctrl-C,
    by cancelling the task or in `on_progress`, cancels the job, unless an idempotency_key of theirs lets them come back
    for it; after NotOver it goes on. The service keeps the job until it expires; `erase` it to be sure.
    Raises JobFailed, NotOver, Refused, Unreachable, OSError.
    """
    asked.setdefault("output_format", "same")
    job = await submit(wire, photo, **asked)
    async with _taken_back(wire, job, is_wanted=bool(asked.get("idempotency_key"))):
        watched = job if job.is_over else job.id  # by its id it is told from its beginning
        return await fetch(wire, await wait(wire, watched, on_progress, timeout_s))


async def fetch(wire: Wire, job: Job) -> Protected:
    """The pictures of a job that is over. Raises JobFailed, NotThere: it was erased; Refused, Unreachable."""
    if job.status != "succeeded":
        raise JobFailed(job)
    asked, output = job.input, job.output
    if output is None or output.photo is None or not isinstance(asked, JobInput):
        raise AnswerUnreadable(f"the job {job.id} has no picture: it was made to {job.kind}")
    if not output.candidates:
        content = await result(wire, job)
        worn = (asked.reference_id, asked.target_id, asked.strength)
        return Protected(job, (Picture(content, output.photo.media_type, *worn, output.faces),))
    pictures = [
        Picture(
            await result(wire, job, number), each.photo.media_type, each.reference_id, each.target_id, each.strength,
            each.faces,
        )
        for number, each in enumerate(output.candidates)
    ]  # fmt: skip
    return Protected(job, tuple(pictures))


async def faces(wire: Wire, photo: Photo) -> list[FaceReport]:
    """The faces of a photo, largest first; nothing is changed, and the service keeps no photo.

    Their `index` is what `faces=` of `submit` takes. Raises JobFailed, Refused, Unreachable, OSError.
    """
    job = await send(wire, "/v1/faces", {"photo": photo_bytes(photo)}, {})
    job = await wait(wire, job)
    if job.status != "succeeded" or job.output is None:
        raise JobFailed(job)
    return job.output.faces


@asynccontextmanager
async def _taken_back(wire: Wire, job: Job, is_wanted: bool) -> AsyncIterator[None]:
    """Cancel the job where somebody interrupts the block: nobody waits for it any more."""
    try:
        yield
    except ClientError:
        raise
    except BaseException:
        if not is_wanted:
            with suppress(ClientError), wire.shielded():
                await ask(wire, "POST", f"{place_of(job)}/cancel", extensions=ONCE)
        raise
