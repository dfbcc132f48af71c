"""The job: what clients read and what the ledger keeps, one shape for both; and every change of it.

A job is `queued`, then `running`, then for ever `succeeded`, `failed` or `canceled`. `revision` grows with every
change.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from diffam_client.contract.report import FaceReport, Progress
from diffam_client.contract.webhook import Webhook
from diffam_client.contract.wish import NOTHING_KEPT, Kept, Strength, Wish

Status = Literal["queued", "running", "succeeded", "failed", "canceled"]
Kind = Literal["protect", "finetune", "detect"]
CanceledBy = Literal["user", "deadline", "operator"]
ENDS: tuple[Status, ...] = ("succeeded", "failed", "canceled")


class Frozen(BaseModel):
    """Immutable, and strict about unknown fields: a record is never half understood."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(Frozen):
    """What the upload was before it became the canonical photo, and what was done to its colours."""

    format: str = Field(description="As its first bytes tell: `jpeg`, `png`, `webp`, ...")
    mode: str = Field(description="How its pixels are stored, in Pillow's words: `RGB`, `CMYK`, `P`, ...")
    bits: int = Field(description="Bits per channel")
    colour: str = Field(description="Which colours its numbers meant, and what became of them")
    is_turned: bool = Field(description="It lay, and was turned upright as its metadata say")
    quality: int | None = Field(None, description="Of a JPEG, from 1 to 100, as its tables tell")


Pixels = Annotated[int, Field(description="In pixels, once the photo is upright")]
Bytes = Annotated[int, Field(description="Size of the stored photo, a PNG")]
MaybeSource = Annotated[Source | None, Field(description="What the upload was")]


class JobInput(Wish):
    """What was asked for, and of which photo."""

    width: Pixels
    height: Pixels
    bytes: Bytes
    source: MaybeSource = None
    kept: Kept = Field(NOTHING_KEPT, description="What `keep` found in the upload; it goes into the finished file")
    undo_to: str | None = Field(None, description="The public half of the key that opens its undo file")


class DetectInput(Frozen):
    """A photo whose faces are to be found, and nothing else."""

    width: Pixels
    height: Pixels
    bytes: Bytes
    source: MaybeSource = None


class ReferenceInput(Frozen):
    """A new reference to make of a picture with make-up."""

    reference_id: str = Field(description="The id it is to have")
    title: str = Field(description="What people read")
    description: str = Field(description="One sentence")
    has_bare: bool = Field(description="Its bare twin came along; else the model removes the make-up")
    width: Pixels
    height: Pixels
    bytes: Bytes


class StyleInput(Frozen):
    """A style to fine-tune."""

    reference_id: str = Field(description="The make-up: an id of /v1/references")
    target_id: str = Field(description="Whom to resemble: an id of /v1/targets")
    held_out: str = Field(description="The recogniser that is not attacked, and judges")
    surrogates: tuple[str, ...] = Field(description="The recognisers that are attacked")
    mode: Literal["lora", "full"] = Field(description="Half a megabyte, or all weights as in the paper")
    objective: Literal["impersonate", "dodge", "both"] = Field(description="Towards the target, away from the owner")


AnyInput = JobInput | ReferenceInput | StyleInput | DetectInput
INPUT: TypeAdapter[AnyInput] = TypeAdapter(AnyInput)


class Queue(Frozen):
    """Where the job waits."""

    position: int = Field(description="Among jobs of its kind; 1 is next")
    eta_s: float | None = Field(
        None, description="Seconds until it is likely over, by how fast such jobs ended lately; null before the first"
    )


class OutputPhoto(Frozen):
    """The protected photo, in the size of the upload."""

    media_type: str = Field(description="`image/png`, `image/jpeg`, ...")
    bytes: int = Field(description="Size of the file")
    sha256: str = Field(description="Of the file, in hexadecimal digits")
    width: Pixels
    height: Pixels
    url: str | None = Field(None, description="Where the file is")
    undo_url: str | None = Field(None, description="Where the file is that brings the original pixels back")


class Candidate(Frozen):
    """One of several pictures to choose from."""

    reference_id: str = Field(description="The make-up it wears")
    target_id: str | None = Field(description="Whom it is to resemble; null: anybody but its owner")
    strength: Strength = Field(description="How much of the make-up, from 0 to 1; `auto`: each face tells its own")
    photo: OutputPhoto = Field(description="The file")
    faces: list[FaceReport] = Field([], description="What became of each face, in the order of their numbers")


class Output(Frozen):
    """What came of the job: of a photo the file and its faces, of its faces alone these, of a fine-tuning its ids."""

    photo: OutputPhoto | None = Field(None, description="The protected photo; of several, the first")
    faces: list[FaceReport] = Field([], description="Every face, measured on that file; in the order of their numbers")
    candidates: list[Candidate] = Field([], description="Where several pictures were asked for, all of them")
    reference_id: str | None = Field(None, description="The reference that is new, or has a new style")
    target_id: str | None = Field(None, description="The target of the new style")


class JobError(Frozen):
    """Why a job failed."""

    code: str = Field(description="Which fact; /problems/{code} explains it")
    message: str = Field(description="The same in a sentence")
    retryable: bool = Field(description="The same request may succeed another time")


class Timings(Frozen):
    """Where the time went, in seconds."""

    queue_s: float | None = Field(None, description="From acceptance to the last start")
    run_s: float | None = Field(None, description="From that start to the end")
    batch_size: int | None = Field(None, description="How many photos shared its forward passes, itself included")
    stages_s: dict[str, float] | None = Field(
        None, description="By stage; `invert` and `make_up` are those of the whole batch"
    )


class BundleName(Frozen):
    """The models that do the work."""

    name: str = Field(description="The bundle")
    grade: str = Field(description="What their protection is worth: `demonstration`, `measured` or `production`")


class Job(Frozen):
    """One request, and what became of it."""

    id: str = Field(description="Nobody can guess it: without keys, whoever knows it may read and erase the job")
    kind: Kind = Field(
        "protect",
        description="`protect` a photo, `detect` its faces, or `finetune`: add a reference or fine-tune a style",
    )
    status: Status = Field(description="`succeeded`, `failed` and `canceled` are for ever")
    revision: int = Field(description="Grows with every change")
    attempt: int = Field(description="How many times work on it began")
    max_attempts: int = Field(description="When so many workers died over it, it fails")
    queue: Queue | None = Field(None, description="While it waits")
    progress: Progress | None = Field(None, description="While it runs")
    input: AnyInput = Field(description="What was asked for, with every default filled in")
    output: Output | None = Field(None, description="Once it succeeded")
    error: JobError | None = Field(None, description="Once it failed or was canceled")
    timings: Timings = Field(description="Where the time went")
    bundle: BundleName = Field(description="The models that do the work")
    created_at: datetime = Field(description="When it was accepted")
    start_by: datetime | None = Field(None, description="While it waits: when it is canceled unless work has begun")
    end_by: datetime | None = Field(None, description="When it is canceled unless it is over")
    started_at: datetime | None = Field(None, description="When a worker last took it")
    finished_at: datetime | None = Field(None, description="When it ended")
    canceled_by: CanceledBy | None = Field(None, description="Who canceled it; null if nobody did")
    had_started: bool | None = Field(None, description="Once it was canceled: whether work on it had begun")
    retry_before: datetime | None = Field(None, description="Until then it can be retried: its photo is still there")
    expires_at: datetime | None = Field(None, description="When everything about it is erased")
    undo_key: str | None = Field(
        None, description="Opens the undo file: drawn for this job, told in the answer that made it, and kept nowhere"
    )
    client_ref: str | None = Field(None, description="What its client calls it")
    webhook: Webhook | None = Field(
        None, description="Who is told of it, and of what; `deliveries` has what became of that"
    )
    links: dict[str, str] = Field(
        {},
        description="What can be done with it now: GET `self`, `events`, `result`, `comparison`, `undo`, "
        "`deliveries`; POST `cancel`, `retry`, `redeliver`; DELETE `erase`",
    )

    @property
    def is_over(self) -> bool:
        """Terminal: it will never change again."""
        return self.status in ENDS

    @property
    def is_undoable(self) -> bool:
        """Whether a file was asked for that brings the original pixels back."""
        return isinstance(self.input, JobInput) and self.input.undo_to is not None

    @property
    def has_told(self) -> bool:
        """Whether something has happened to it that its webhook is to be told."""
        wanted = self.webhook.events if self.webhook else ()
        return (f"job.{self.status}" in wanted) or ("job.started" in wanted and bool(self.attempt))


class Jobs(BaseModel):
    """A page of jobs, newest first."""

    jobs: list[Job] = Field(description="It may have fewer than `limit`, and there may be more: `Link` tells")


class Event(Frozen):
    """A change of a job."""

    revision: int = Field(description="Which change it was, from 1")
    at: datetime = Field(description="When it happened")
    status: Status = Field(description="The job's status from then on")
    attempt: int = Field(description="How many times work on it had begun")
    progress: Progress | None = Field(None, description="How far the work was, while it ran")
    error: JobError | None = Field(None, description="Why it failed or was canceled")

    @property
    def is_last(self) -> bool:
        """No other will follow."""
        return self.status in ENDS

    @property
    def name(self) -> str:
        """`progress` of what tells of a stage or a step, `status` of what tells of the job's state."""
        return "progress" if self.progress else "status"
