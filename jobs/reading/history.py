"""What happened to a job: every change of its state, its stage and its step, once each and in order."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from pydantic_core import from_json
from redis import Redis

from diffam_client.contract.job import Event
from jobs.errors import ErasedJob, UnknownJob
from jobs.lua.scripts import key

LIMIT = 500  # events that are read at once
Fields = dict[bytes, bytes]


def events_after(redis: Redis, job_id: str, revision: int) -> Sequence[Event]:
    """The next changes after that one, LIMIT at most, in order. Raises UnknownJob, ErasedJob, RedisError."""
    pipeline = redis.pipeline(transaction=True)
    pipeline.exists(key("job", job_id))
    pipeline.exists(key("gone", job_id))
    pipeline.xrange(key("events", job_id), f"{revision + 1}-0", "+", LIMIT)
    is_there, is_gone, entries = pipeline.execute()
    if not is_there:
        raise ErasedJob(job_id) if is_gone else UnknownJob(job_id)
    return [_event(*entry) for entry in cast("list[tuple[bytes, Fields]]", entries)]


def changed(redis: Redis, revisions: Mapping[str, int], patience_s: float) -> frozenset[str]:
    """Those of some jobs that changed after their revision, or are gone; waits `patience_s` at most for the first.

    Raises RedisError.
    """
    records = [key("job", job_id) for job_id in revisions]
    if redis.exists(*records) < len(records):
        pipeline = redis.pipeline(transaction=False)
        for record in records:
            pipeline.exists(record)
        return frozenset(job_id for job_id, is_there in zip(revisions, pipeline.execute(), strict=True) if not is_there)
    histories = {key("events", job_id): f"{revision}-0" for job_id, revision in revisions.items()}
    told = redis.xread(cast("dict[Any, Any]", histories), count=1, block=round(1000 * patience_s))
    names = {cast("bytes", name).decode() for name in dict(told or ())}  # the client never decodes
    return frozenset(job_id for job_id in revisions if key("events", job_id) in names)


def _event(entry_id: bytes, fields: Fields) -> Event:
    """As lua/prelude.lua wrote it."""
    told: dict[str, object] = {name.decode(): value.decode() for name, value in fields.items()}
    told |= {name: from_json(fields[name.encode()]) for name in ("progress", "error") if name in told}
    told["at"] = datetime.fromtimestamp(float(fields[b"at"]), UTC)
    return Event.model_validate(told | {"revision": int(entry_id.partition(b"-")[0])})
