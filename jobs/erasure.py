"""What was erased leaves the disk: an append-only file keeps deleted bytes until the server writes it anew.

The ledger counts every deletion, the server every key that expired. When either count has moved since the last rewrite
began, the file is due. A server that has just started is due at once: whoever stopped it may have had no time.
"""

from time import monotonic, sleep
from typing import cast

import structlog
from redis import Redis
from redis.exceptions import RedisError, ResponseError

log = structlog.get_logger()

ERASED = "diffam:erased"  # written by lua/prelude.lua
REWRITTEN = "diffam:rewritten"  # hash: `state` of the counts when the last rewrite began, and `at`, seconds since 1970
MARK = """#!lua flags=allow-oom
redis.call('HSET', KEYS[1], 'state', ARGV[1], 'at', ARGV[2])
"""
"""A full store must remember, too: else it would write all of itself at every look."""
ROUNDS = 6
"""Looks per bound: one may come just too early, and the rewriting itself takes its time."""


def look_every_s(bound_s: float) -> float:
    """How often to call `rewrite_when_due`, so that what was erased is gone within `bound_s` seconds."""
    return bound_s / ROUNDS


def rewrite_when_due(redis: Redis, bound_s: float) -> bool:
    """Begin to write the append-only file anew if it holds erased bytes, half of `bound_s` after the last time at the
    soonest: all that lives is written each time. Whether it did. Raises RedisError.

    Safe to call from everywhere at any time: the server runs one rewrite at once.
    """
    persistence = _info(redis, "persistence")
    if not persistence["aof_enabled"] or persistence["aof_rewrite_in_progress"]:
        return False
    state, (now, _) = _state(redis), redis.time()
    last = cast("dict[bytes, bytes]", redis.hgetall(REWRITTEN))
    is_known = last.get(b"state", b"").decode() == state and persistence["aof_last_bgrewrite_status"] == "ok"
    is_new_server = not last.get(b"state", b"").decode().startswith(_run_id(state))
    is_early = now - int(last.get(b"at", 0)) < bound_s / 2
    if is_known or (is_early and not is_new_server):
        return False
    try:
        redis.bgrewriteaof()
    except ResponseError as error:  # no right to it, or a snapshot is being written
        log.warning("rewrite_refused", error=str(error))
        return False
    redis.eval(MARK, 1, REWRITTEN, state, now)
    return True


def rewrite_now(redis: Redis, timeout_s: float) -> bool:
    """Write the append-only file anew and wait for it: before a server stops. Whether it was done in time."""
    deadline = monotonic() + timeout_s
    try:
        if not _info(redis, "persistence")["aof_enabled"]:
            return True
        _wait_for_rewrite(redis, deadline)  # one under way began before the last deletions
        redis.bgrewriteaof()
        return _wait_for_rewrite(redis, deadline)
    except RedisError as error:
        log.warning("rewrite_failed", error=type(error).__name__)
        return False


def _wait_for_rewrite(redis: Redis, deadline: float) -> bool:
    while monotonic() < deadline:
        persistence = _info(redis, "persistence")
        if not persistence["aof_rewrite_in_progress"] and not persistence["aof_rewrite_scheduled"]:
            return bool(persistence["aof_last_bgrewrite_status"] == "ok")
        sleep(0.05)
    return False


def _state(redis: Redis) -> str:
    """A text that changes whenever something was deleted or expired, or another server runs."""
    erased = cast("bytes | None", redis.get(ERASED)) or b"0"
    return f"{_info(redis, 'server')['run_id']}:{erased.decode()}:{_info(redis, 'stats')['expired_keys']}"


def _run_id(state: str) -> str:
    return state.partition(":")[0]


def _info(redis: Redis, section: str) -> dict[str, object]:
    return redis.info(section)
