"""A job as its record tells it, with its place in the queue."""

from collections.abc import Mapping
from datetime import UTC, datetime

from pydantic_core import from_json
from redis.commands.core import Script

from diffam_client.contract.job import Job, Queue
from jobs.errors import ErasedJob, UnknownJob

TIMES = ("created_at", "start_by", "end_by", "started_at", "finished_at", "expires_at", "retry_before")
OURS = {b"token", b"at_risk", b"ttl_s", b"has_photo", b"owner", b"traceparent", b"worker"}  # between ledger and workers
NESTED = ("input", "progress", "output", "error", "timings", "bundle", "webhook")


def read_job(read: Script, job_id: str) -> Job:
    """The job as it stands. read: lua/read.lua.  Raises UnknownJob, ErasedJob, RedisError."""
    record, is_gone, *rest = read(args=[job_id])
    if record is None:
        raise ErasedJob(job_id) if is_gone else UnknownJob(job_id)
    retry_before, rank, running, pace = rest
    fields = dict(zip(record[::2], record[1::2], strict=True))
    if retry_before is not None:
        fields[b"retry_before"] = retry_before
    return job_of(job_id, fields, None if rank is None else place_of(rank, running, pace))


def job_of(job_id: str, record: Mapping[bytes, bytes], queue: Queue | None) -> Job:
    """A job of its Redis hash: plain values, JSON for nested ones, seconds since 1970 for times."""
    field: dict[str, object] = {name.decode(): value.decode() for name, value in record.items() if name not in OURS}
    times = {name: float(record[name.encode()]) for name in TIMES if name in field}
    nested = {name: from_json(record[name.encode()]) for name in NESTED if name in field}
    moments = {name: datetime.fromtimestamp(seconds, UTC) for name, seconds in times.items()}
    started, finished = times.get("started_at"), times.get("finished_at")
    timings = nested.pop("timings", {}) | {
        "queue_s": round(started - times["created_at"], 3) if started else None,
        "run_s": round(finished - started, 3) if started and finished else None,
    }
    return Job.model_validate(field | moments | nested | {"id": job_id, "queue": queue, "timings": timings})


def place_of(rank: int, running: int, pace: tuple[bytes | None, bytes | None]) -> Queue:
    """The place of a job in the line of its kind. rank: from 0.

    eta_s: those that run, those that wait before it, and itself, at the pace of the last ones; but no job takes less
    than it takes by itself.
    """
    position, (seconds, run_s) = rank + 1, pace
    if seconds is None or run_s is None:
        return Queue(position=position)
    return Queue(position=position, eta_s=round(max((running + position) * float(seconds), float(run_s)), 1))
