"""How the ledger's Lua reaches Redis, what its keys are called, and what Redis says when it has no room."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Literal

from redis import Redis
from redis.commands.core import Script
from redis.exceptions import OutOfMemoryError, ResponseError

from jobs.errors import StoreFull

Blob = Literal["photo", "twin", "result", "comparison", "undo"]

NAMES = (
    "accept", "before", "claim", "heartbeat", "progress", "commit", "fail", "cancel", "deadlines", "erase", "reap",
    "release", "read", "reserve", "retry", "stage", "forget", "whose", "at_once", "overview", "sheet",
    "deliveries", "settle", "redeliver", "outbox",
)  # fmt: skip


def load_scripts(redis: Redis) -> dict[str, Script]:
    """Every script by its name; Redis learns each with its first call."""
    return {name: _script(redis, name) for name in NAMES}


def key(kind: Blob | Literal["job", "gone", "events", "sheet"], job_id: str, candidate: int = 0) -> str:
    """Mirrors `key` and PICTURES in prelude.lua."""
    return f"diffam:{kind}.{candidate}:{job_id}" if candidate else f"diffam:{kind}:{job_id}"


@contextmanager
def needing_room() -> Iterator[None]:
    """Tell a store that has no room from one that cannot be reached. Raises StoreFull."""
    try:
        yield
    except OutOfMemoryError as error:
        raise StoreFull("the store is full: no new jobs until old ones are erased or expire") from error
    except ResponseError as error:
        if not str(error).startswith("MISCONF"):  # what it says when its append-only file cannot be written
            raise
        raise StoreFull("the store cannot write its file: its disk may be full") from error


def _script(redis: Redis, name: str) -> Script:
    """Only taking new jobs may fail when the store is full: all else frees it, or keeps alive what does."""
    lua = files("jobs") / "lua"
    head = "" if name in ("accept", "reserve", "retry", "sheet") else "#!lua flags=allow-oom\n"
    return redis.register_script(head + (lua / "prelude.lua").read_text() + (lua / f"{name}.lua").read_text())
