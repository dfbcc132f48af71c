"""What is remembered of an attachment beside its job: what goes with the picture, and what the instance calls it.

No token is in here, nor anything that tells one: an attachment's name is made of its id *with* the token, so only who
brings both finds it again.
"""

import hmac
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import monotonic

from anyio import CancelScope, sleep
from pydantic import BaseModel, ConfigDict
from redis import Redis
from redis.exceptions import LockError
from starlette.concurrency import run_in_threadpool

from jobs.settings import Settings

KNOWN_S = 24 * 3600  # for which an instance keeps what nobody posted
LOOK_AGAIN_S = 0.1
DIGITS = 18  # as instances' own ids have


def draw_id() -> str:
    """An id that looks like an instance's own, which are numbers as text."""
    return str(10 ** (DIGITS - 1) + secrets.randbelow(9 * 10 ** (DIGITS - 1)))


def name_of(media_id: str, token: str) -> str:
    """The attachment's job: nobody guesses it without the token, and it tells no more of the token than a coin does."""
    return hmac.new(token.encode(), f"attachment {media_id}".encode(), "sha256").hexdigest()[:32]


class Note(BaseModel):
    """fields: `description` and `focus`, until the instance has them.  remote_id: what the instance calls it, then."""

    model_config = ConfigDict(frozen=True)

    fields: dict[str, str]
    width: int
    height: int
    remote_id: str | None = None


class Notes:
    """Those of all web processes of one Redis. Thread-safe; any call may raise RedisError."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis = redis
        self._live_s = settings.queue_timeout_s + settings.max_result_ttl_s
        self._alone_s = 3 * settings.mastodon_timeout_s

    def read(self, name: str) -> Note | None:
        """The note; None where there is none, or none any more."""
        text = self._redis.get(_key(name))
        return Note.model_validate_json(text) if isinstance(text, bytes) else None

    def write(self, name: str, note: Note) -> None:
        """Keep it, or what became of it."""
        life_s = KNOWN_S if note.remote_id else self._live_s
        self._redis.set(_key(name), note.model_dump_json(), ex=life_s)

    def forget(self, name: str) -> None:
        """Delete it."""
        self._redis.delete(_key(name))

    @asynccontextmanager
    async def alone(self, name: str, wait_s: float = 0) -> AsyncIterator[bool]:
        """Whether nobody else may change the note, or give the picture to the instance, while the block lasts."""
        lock = self._redis.lock(f"{_key(name)}:alone", timeout=self._alone_s, thread_local=False)
        deadline = monotonic() + wait_s
        is_alone = await run_in_threadpool(lock.acquire, blocking=False)
        while not is_alone and monotonic() < deadline:
            await sleep(LOOK_AGAIN_S)
            is_alone = await run_in_threadpool(lock.acquire, blocking=False)
        try:
            yield is_alone
        finally:
            if is_alone:
                with CancelScope(shield=True), suppress(LockError):  # it took longer than anybody may
                    await run_in_threadpool(lock.release)


def _key(name: str) -> str:
    return f"diffam:attachment:{name}"
