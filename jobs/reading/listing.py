"""The jobs there are, newest first, a page at a time."""

from dataclasses import dataclass
from typing import cast

from pydantic_core import from_json
from redis import Redis
from redis.commands.core import Script

from diffam_client.contract.job import Job, Kind, Status
from jobs.errors import ErasedJob, UnknownJob
from jobs.lua.scripts import key
from jobs.reading.record import read_job

INDEX = "diffam:index"
LOOK_AT = 100  # records that are compared at once
MOST_LOOKED_AT = 1000  # for one page: a rare job must not make Redis look at all others in one go


@dataclass(frozen=True)
class Wanted:
    """Which jobs. None: any.  code: of the error.  owner: whose."""

    status: Status | None = None
    kind: Kind | None = None
    code: str | None = None
    owner: str | None = None


def list_jobs(
    redis: Redis, read: Script, wanted: Wanted, before: str | None, limit: int
) -> tuple[list[Job], str | None]:
    """At most `limit` jobs that were accepted before that moment, and from where to go on; None: there are no more.

    A page may hold fewer jobs than the limit, even none, and yet go on. before: seconds since 1970, as a page told it.
    """
    jobs: list[Job] = []
    for _ in range(MOST_LOOKED_AT // LOOK_AT):
        entries = _older(redis, before)
        fits = _fits(redis, [job_id for job_id, _ in entries], wanted)
        for (job_id, accepted_at), is_wanted in zip(entries, fits, strict=True):
            before = f"{accepted_at:.6f}"
            if is_wanted:
                jobs += _read(read, job_id)
            if len(jobs) == limit:
                return jobs, before
        if len(entries) < LOOK_AT:
            return jobs, None
    return jobs, before


def _older(redis: Redis, before: str | None) -> list[tuple[str, float]]:
    """The next LOOK_AT jobs with their moments of acceptance, newest first."""
    newest = f"({before}" if before else "+inf"
    found = redis.zrevrangebyscore(INDEX, newest, "-inf", start=0, num=LOOK_AT, withscores=True)
    return [(job_id.decode(), score) for job_id, score in cast("list[tuple[bytes, float]]", found)]


def _fits(redis: Redis, job_ids: list[str], wanted: Wanted) -> list[bool]:
    """Which of them are wanted, at one moment."""
    pipeline = redis.pipeline(transaction=False)
    for job_id in job_ids:
        pipeline.hmget(key("job", job_id), "status", "kind", "error", "owner")
    return [_is_wanted(wanted, *record) for record in cast("list[list[bytes | None]]", pipeline.execute())]


def _is_wanted(
    wanted: Wanted, status: bytes | None, kind: bytes | None, error: bytes | None, owner: bytes | None
) -> bool:
    if status is None or kind is None:  # it expired
        return False
    if wanted.owner not in (None, (owner or b"").decode()):
        return False
    if wanted.status not in (None, status.decode()) or wanted.kind not in (None, kind.decode()):
        return False
    return wanted.code is None or (error is not None and from_json(error)["code"] == wanted.code)


def _read(read: Script, job_id: str) -> list[Job]:
    """The job, unless it is gone by now."""
    try:
        return [read_job(read, job_id)]
    except (ErasedJob, UnknownJob):
        return []
