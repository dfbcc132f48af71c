"""The job: what clients read and what the ledger keeps, one shape for both.

A job is `queued`, then `running`, then for ever `succeeded`, `failed` or `canceled`. `revision` grows with every
change.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic_core import from_json

from jobs.wish import Strength, Wish

Status = Literal["queued", "running", "succeeded", "failed", "canceled"]
Kind = Literal["protect", "finetune", "detect"]
KINDS: tuple[Kind, ...] = ("protect", "finetune", "detect")

# Share of the running time that is over when a stage begins and ends; rough, only the progress bar reads it.
STAGES: dict[str, tuple[float, float]] = {
    "detect": (0.0, 0.05),
    "invert": (0.05, 0.45),
    "make_up": (0.45, 0.75),
    "composite": (0.75, 0.8),
    "score": (0.8, 1.0),
}
LONG_STAGES: dict[str, tuple[float, float]] = {
    "load": (0.0, 0.02),
    "remove_makeup": (0.02, 1.0),  # a new look
    "fine_tune": (0.02, 1.0),  # a new style
}


class Frozen(BaseModel):
    """Immutable, and strict about unknown fields: a record is never half understood."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(Frozen):
    """What the upload was before it became the canonical photo, and what was done to its colours."""

    format: str
    mode: str
    bits: int
    colour: str
    is_turned: bool


class JobInput(Wish):
    """What was asked for; `width`, `height` in pixels and `bytes` are those of the stored canonical photo."""

    width: int
    height: int
    bytes: int
    source: Source | None = None


class DetectInput(Frozen):
    """A photo whose faces are to be found, and nothing else."""

    width: int
    height: int
    bytes: int
    source: Source | None = None


class ReferenceInput(Frozen):
    """A new look to make of a picture with make-up; `has_bare`: its bare twin came along."""

    reference_id: str
    title: str
    description: str
    has_bare: bool
    width: int
    height: int
    bytes: int


class StyleInput(Frozen):
    """A style to train: see `model_store.additions.StyleOrder`."""

    reference_id: str
    target_id: str
    held_out: str
    surrogates: tuple[str, ...]
    mode: Literal["lora", "full"]
    objective: Literal["impersonate", "dodge", "both"]


AnyInput = JobInput | ReferenceInput | StyleInput | DetectInput
INPUT: TypeAdapter[AnyInput] = TypeAdapter(AnyInput)


class Queue(Frozen):
    """`position` 1 is next."""

    position: int


class Progress(Frozen):
    """`step` of `steps` within `stage`; `fraction` in [0, 1] of the whole job. Training tells `losses` and `eta_s`."""

    stage: str
    step: int
    steps: int
    fraction: float
    losses: dict[str, float] | None = None
    eta_s: float | None = None

    @classmethod
    def at(
        cls, stage: str, step: int, steps: int, losses: dict[str, float] | None = None, eta_s: float | None = None
    ) -> Self:
        """Place `step` of `steps` within the whole job; an unknown stage counts as the whole."""
        begin, end = (STAGES | LONG_STAGES).get(stage, (0.0, 1.0))
        share = min(max(step / steps, 0.0), 1.0) if steps else 1.0
        return cls(
            stage=stage,
            step=step,
            steps=steps,
            fraction=round(begin + share * (end - begin), 4),
            losses=losses,
            eta_s=eta_s,
        )


class OutputPhoto(Frozen):
    """The protected photo; the bytes themselves are at `url`."""

    media_type: str
    bytes: int
    sha256: str
    width: int
    height: int
    url: str | None = None


class Candidate(Frozen):
    """One of several pictures to choose from."""

    reference_id: str
    target_id: str
    strength: Strength
    photo: OutputPhoto
    faces: list[dict[str, Any]] = []


class Output(Frozen):
    """Of a photo, the file and per face its box and scores, measured on it. Of a fine-tuning job, what is new.

    candidates: when several were asked for, all of them; `photo` and `faces` are those of the first.
    """

    photo: OutputPhoto | None = None
    faces: list[dict[str, Any]] = []
    candidates: list[Candidate] = []
    reference_id: str | None = None
    target_id: str | None = None


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
    """One request: to protect a photo, to find its faces (`detect`), or to add a look or train a style (`finetune`)."""

    id: str
    kind: Kind = "protect"
    status: Status
    revision: int
    attempt: int
    max_attempts: int
    queue: Queue | None = None
    progress: Progress | None = None
    input: AnyInput
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
        return self.status in ("succeeded", "failed", "canceled")

    @classmethod
    def from_hash(cls, job_id: str, record: Mapping[bytes, bytes], position: int | None) -> Self:
        """Build a job from its Redis hash: plain values, JSON for nested ones, seconds since 1970 for times."""
        field: dict[str, Any] = {name.decode(): value.decode() for name, value in record.items() if name not in OURS}
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
OURS = {b"token", b"at_risk"}  # between ledger and workers
NESTED = {"input", "progress", "output", "error", "timings", "bundle"}
