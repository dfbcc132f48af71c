"""What happened to a job: every change of its state, its stage and its step, once each and in order."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Self, cast

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import from_json
from redis import Redis

from jobs.errors import ErasedJob, UnknownJob
from jobs.job import JobError, Status
from jobs.lua.scripts import key
from jobs.report import Progress

LIMIT = 500  # events that are read at once
Fields = dict[bytes, bytes]


class Event(BaseModel):
    """A change of a job."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    revision: int = Field(description="Which change it was, from 1")
    at: datetime = Field(description="When it happened")
    status: Status = Field(description="The job's status from then on")
    attempt: int = Field(description="How many times work on it had begun")
    progress: Progress | None = Field(None, description="How far the work was, while it ran")
    error: JobError | None = Field(None, description="Why it failed or was canceled")

    @property
    def is_last(self) -> bool:
        """No other will follow."""
        return self.status in ("succeeded", "failed", "canceled")

    @property
    def name(self) -> str:
        """`progress` of what tells of a stage or a step, `status` of what tells of the job's state."""
        return "progress" if self.progress else "status"

    @classmethod
    def from_stream(cls, entry_id: bytes, fields: Fields) -> Self:
        """As lua/prelude.lua wrote it."""
        told: dict[str, object] = {name.decode(): value.decode() for name, value in fields.items()}
        told |= {name: from_json(fields[name.encode()]) for name in ("progress", "error") if name in told}
        told["at"] = datetime.fromtimestamp(float(fields[b"at"]), UTC)
        return cls.model_validate(told | {"revision": int(entry_id.partition(b"-")[0])})


def events_after(redis: Redis, job_id: str, revision: int) -> Sequence[Event]:
    """The next changes after that one, LIMIT at most, in order. Raises UnknownJob, ErasedJob, RedisError."""
    pipeline = redis.pipeline(transaction=True)
    pipeline.exists(key("job", job_id))
    pipeline.exists(key("gone", job_id))
    pipeline.xrange(key("events", job_id), f"{revision + 1}-0", "+", LIMIT)
    is_there, is_gone, entries = pipeline.execute()
    if not is_there:
        raise ErasedJob(job_id) if is_gone else UnknownJob(job_id)
    return [Event.from_stream(*entry) for entry in cast("list[tuple[bytes, Fields]]", entries)]
