"""What an operator sees of a service: states and numbers alone. No photo, no file name, nothing that a client wrote.

Of a job's id the first SHORT characters are told, as it stands in `diffam jobs list`: they open nothing.
"""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from diffam_client.contract.job import BundleName, Kind, Status
from diffam_client.contract.limits import Quota
from diffam_client.contract.report import Progress, Stage, Told

SHORT = 8

ShortId = Annotated[str, Field(description="The first characters of the job's id")]
Owner = Annotated[str, Field(description="The id of the key that made it; empty: nobody's")]
KindOfJob = Annotated[Kind, Field(description="What is done: `protect`, `finetune` or `detect`")]
Heard = Annotated[float, Field(description="Seconds since the last sign of life of who works on it")]


class WaitingJob(BaseModel):
    """One of the first in its line."""

    id: ShortId
    owner: Owner
    attempt: int = Field(description="How many times work on it began before")
    waited_s: float = Field(description="Since it was accepted")
    eta_s: float | None = Field(description="Until it is likely over; null before the first job of its kind")


class RunningJob(BaseModel):
    """One that a worker has."""

    id: ShortId
    owner: Owner
    kind: KindOfJob
    worker: str = Field(description="Who has it")
    attempt: int = Field(description="How many times work on it began")
    max_attempts: int = Field(description="When so many workers died over it, it fails")
    ran_s: float = Field(description="Since it was taken")
    heard_s: Heard
    stage: Stage | None = Field(description="What is being done; null: nothing yet")
    fraction: float = Field(description="Of the whole job, from 0 to 1; rough")


class Line(BaseModel):
    """The queue of one kind of job."""

    kind: KindOfJob
    waiting: int = Field(description="Jobs that wait")
    running: int = Field(description="Jobs that a worker has")
    oldest_s: float | None = Field(description="How long the first one has waited; null: nobody waits")
    seconds_per_job: float | None = Field(
        description="Between the ends of such jobs lately, while there was work; null before the first"
    )
    eta_s: float | None = Field(description="Seconds until the last that waits is likely over")
    first: list[WaitingJob] = Field(description="Those that wait, in order; the first few alone")
    at_work: list[RunningJob] = Field(description="Those that run, the longest first; the first few alone")


class WorkerFacts(Told):
    """What a worker says of itself with every sign of life."""

    bundle: str = Field(description="The models that it has open")
    device: str = Field(description="What it computes on: `cpu`, `cuda`, ...")
    version: str = Field(description="Of this software")
    torch: str = Field(description="Version of PyTorch")
    started_at: datetime = Field(description="When its models were warm")


class Worker(BaseModel):
    """A worker that takes photos and showed a sign of life within the last lease."""

    name: str = Field(description="Its machine, and the number of its process there")
    heard_s: float = Field(description="Seconds since its last sign of life")
    facts: WorkerFacts | None = Field(description="Null: it said nothing of itself")
    jobs: list[ShortId] = Field(description="What it has in hand")


class Loss(BaseModel):
    """A point of a loss curve."""

    step: int = Field(description="After how many steps")
    terms: dict[str, float] = Field(description="Terms of the loss, by name")


class Sheet(BaseModel):
    """How a style in training looks: drawn people, and the same in the style; a JPEG."""

    url: str = Field(description="Where it is")
    step: int = Field(description="After how many steps it was made")


class Training(BaseModel):
    """A style that is being fine-tuned."""

    id: ShortId
    reference_id: str = Field(description="The make-up")
    target_id: str = Field(description="Whom it is to resemble")
    held_out: str = Field(description="The recogniser that is not attacked, and judges")
    heard_s: Heard
    progress: Progress | None = Field(description="How far it is, and how many seconds are left of its stage")
    sheet: Sheet | None = Field(description="How it looks so far; null before the first")
    curve: list[Loss] = Field(description="Its loss so far, in as many points as a picture needs")


class Hour(BaseModel):
    """How many jobs ended in an hour, and how."""

    at: datetime = Field(description="When it began")
    succeeded: int = Field(description="How many came to a good end")
    failed: int = Field(description="How many did not")
    canceled: int = Field(description="How many were stopped, by whomever")


class Failure(BaseModel):
    """Why jobs failed or were canceled in the last hours, by code."""

    code: str = Field(description="As in `error` of a job")
    status: Status = Field(description="`failed`, or `canceled`")
    kind: KindOfJob
    count: int = Field(description="How many jobs")
    last_at: datetime = Field(description="When the hour began in which the last one ended")
    retryable: bool = Field(description="The same request may succeed another time")
    explanation: str = Field(description="What the code means")


class KeyUse(BaseModel):
    """A key and its use; never its secret."""

    id: str = Field(description="As `diffam keys list` shows it")
    name: str = Field(description="What its operator calls it")
    scopes: list[str] = Field(description="What it may do")
    created_at: datetime = Field(description="When it was made")
    quota: Quota = Field(description="How much it may ask for")
    requests_now: int = Field(description="In this minute")
    jobs_now: int = Field(description="That wait or run")
    bytes_now: int = Field(description="Uploaded in these 24 hours")


class Operations(BaseModel):
    """What goes on in a service, at one moment."""

    at: datetime = Field(description="By the clock of the ledger")
    version: str = Field(description="Of the software of the web process")
    bundle: BundleName = Field(description="The models that the web process offers")
    lease_s: int = Field(description="Whoever shows no sign of life for so long loses its jobs")
    max_queued: int = Field(description="Jobs that may wait; beyond, 503 `queue_full`")
    lines: list[Line] = Field(description="The queue, by kind of job")
    workers: list[Worker] = Field(description="Workers that take photos")
    trainings: list[Training] = Field(description="Styles that are being fine-tuned")
    hours: list[Hour] = Field(description="The last 24, the oldest first")
    failures: list[Failure] = Field(description="Of those hours, the most frequent first")
    keys: list[KeyUse] | None = Field(description="The newest first; null where nobody needs one")
    keys_in_all: int = Field(description="How many there are; a long list is cut")
