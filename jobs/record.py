"""The job: what clients read and what the ledger keeps, one shape for both.

A job is `queued`, then `running`, then for ever `succeeded` or `failed`. `revision` grows with every change.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict
from pydantic_core import from_json

Status = Literal["queued", "running", "succeeded", "failed"]
OutputFormat = Literal["png", "jpeg"]

# Share of the running time that is over when a stage begins and ends; rough, only the progress bar reads it.
STAGES: Mapping[str, tuple[float, float]] = {
    "detect": (0.0, 0.05),
    "invert": (0.05, 0.45),
    "make_up": (0.45, 0.75),
    "composite": (0.75, 0.8),
    "score": (0.8, 1.0),
}


class Frozen(BaseModel):
    """Immutable, and strict about unknown fields: a record is never half understood."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class JobInput(Frozen):
    """What was asked for; `width`, `height` in pixels and `bytes` are those of the stored canonical photo."""

    reference_id: str
    target_id: str | None = None
    output_format: OutputFormat = "png"
    width: int
    height: int
    bytes: int


class Queue(Frozen):
    """`position` 1 is next."""

    position: int


class Progress(Frozen):
    """`step` of `steps` within `stage`; `fraction` in [0, 1] of the whole job."""

    stage: str
    step: int
    steps: int
    fraction: float

    @classmethod
    def at(cls, stage: str, step: int, steps: int) -> Self:
        """Place `step` of `steps` within the whole job; an unknown stage counts as the whole."""
        begin, end = STAGES.get(stage, (0.0, 1.0))
        share = min(max(step / steps, 0.0), 1.0) if steps else 1.0
        return cls(stage=stage, step=step, steps=steps, fraction=round(begin + share * (end - begin), 4))


class OutputPhoto(Frozen):
    """The protected photo; the bytes themselves are at `url`."""

    media_type: str
    bytes: int
    sha256: str
    width: int
    height: int
    url: str | None = None


class Output(Frozen):
    """`faces`: per protected face its box and scores, as the pipeline measured them on the finished file."""

    photo: OutputPhoto
    faces: list[dict[str, Any]]


class JobError(Frozen):
    """Why a job failed. `retryable`: the same upload may succeed another time."""

    code: str
    message: str
    retryable: bool


class Timings(Frozen):
    """Seconds. `stages_s` is the time of each stage for the whole batch of `batch_size` photos."""

    queue_s: float | None = None
    run_s: float | None = None
    batch_size: int | None = None
    stages_s: dict[str, float] | None = None


class BundleName(Frozen):
    """The models that do the work; `grade` says what their protection is worth."""

    name: str
    grade: str


class Job(Frozen):
    """One request to protect a photo."""

    id: str
    kind: Literal["protect"] = "protect"
    status: Status
    revision: int
    attempt: int
    max_attempts: int
    queue: Queue | None = None
    progress: Progress | None = None
    input: JobInput
    output: Output | None = None
    error: JobError | None = None
    timings: Timings
    bundle: BundleName
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    expires_at: datetime | None = None
    links: dict[str, str] = {}

    @property
    def is_over(self) -> bool:
        """Terminal: it will never change again."""
        return self.status in ("succeeded", "failed")

    @classmethod
    def from_hash(cls, job_id: str, record: Mapping[bytes, bytes], position: int | None) -> Self:
        """Build a job from its Redis hash: plain values, JSON for nested ones, seconds since 1970 for times."""
        field: dict[str, Any] = {name.decode(): value.decode() for name, value in record.items()}
        times = {name: float(field[name]) for name in TIMES if name in field}
        for name in NESTED & field.keys():
            field[name] = from_json(field[name])
        started, finished = times.get("started_at"), times.get("finished_at")
        timings = field.pop("timings", {}) | {
            "queue_s": round(started - times["created_at"], 3) if started else None,
            "run_s": round(finished - started, 3) if started and finished else None,
        }
        moments = {name: datetime.fromtimestamp(seconds, UTC) for name, seconds in times.items()}
        queue = {"position": position} if position else None
        return cls.model_validate(field | moments | {"id": job_id, "queue": queue, "timings": timings})


TIMES = ("created_at", "started_at", "finished_at", "expires_at")
NESTED = {"input", "progress", "output", "error", "timings", "bundle"}
