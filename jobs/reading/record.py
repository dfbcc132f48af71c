"""A job as its record tells it, with its place in the queue."""

from redis.commands.core import Script

from jobs.errors import ErasedJob, UnknownJob
from jobs.job import Job, Queue


def read_job(read: Script, job_id: str) -> Job:
    """The job as it stands. read: lua/read.lua.  Raises UnknownJob, ErasedJob, RedisError."""
    record, is_gone, *rest = read(args=[job_id])
    if record is None:
        raise ErasedJob(job_id) if is_gone else UnknownJob(job_id)
    retry_before, *place = rest
    fields = dict(zip(record[::2], record[1::2], strict=True))
    if retry_before is not None:
        fields[b"retry_before"] = retry_before
    return Job.from_hash(job_id, fields, _queue(*place))


def _queue(rank: int | None, running: int, pace: tuple[bytes | None, bytes | None]) -> Queue | None:
    """eta_s: those that run, those that wait before it, and itself, at the pace of the last ones; but no job takes less
    than it takes by itself."""
    if rank is None:
        return None
    position, (seconds, run_s) = rank + 1, pace
    if seconds is None or run_s is None:
        return Queue(position=position)
    return Queue(position=position, eta_s=round(max((running + position) * float(seconds), float(run_s)), 1))
