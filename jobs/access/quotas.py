"""What keys have used of their quotas, counted in the same Redis by `limits`; a window begins with its first use.

And how many wrong keys an address has tried. A right one is let in whatever its address did: nobody locks out others
who share it, behind a proxy or in an office. That no guess hits is due to the 256 random bits of a key.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal, cast, get_args

from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerMinute
from limits.storage import RedisStorage
from limits.strategies import FixedWindowRateLimiter
from redis import Redis

from jobs.access.keys import Guest, Key
from jobs.lua.scripts import load_scripts

Name = Literal["requests", "bytes"]
NAMES: tuple[Name, ...] = get_args(Name)
WRONG_KEYS = RateLimitItemPerMinute(30, namespace="wrong_keys")


@dataclass(frozen=True)
class Left:
    """Of a quota. most, remaining: requests, or bytes.  window_s: for which `most` holds.  reset_s: to its end."""

    name: Name
    most: int
    window_s: int
    remaining: int
    reset_s: int


@dataclass(frozen=True)
class Used:
    """Of all quotas of a key, at one moment."""

    requests: int
    bytes: int
    jobs: int


class Quotas:
    """Counts for all web processes of one Redis. Thread-safe; any call may raise RedisError."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._storage = RedisStorage("redis://", connection_pool=redis.connection_pool, key_prefix="diffam:limits")
        self._windows = FixedWindowRateLimiter(self._storage)
        self._at_once = load_scripts(redis)["at_once"]

    def jobs_at_once(self, key: Key | Guest) -> int:
        """How many jobs of the key wait or run."""
        return int(self._at_once(args=[key.id])[0])

    def used(self, keys: Sequence[Key]) -> list[Used]:
        """What each of them has used, in two calls of Redis however many they are."""
        if not keys:
            return []
        names = [self._storage.prefixed_key(_item(name, key).key_for(key.id)) for key in keys for name in NAMES]
        counts = iter([int(count or 0) for count in cast("list[bytes | None]", self._redis.mget(names))])
        jobs = self._at_once(args=[key.id for key in keys])
        return [Used(next(counts), next(counts), now) for now in jobs]

    def use(self, name: Name, key: Key | Guest, cost: int) -> bool:
        """Count so many requests or bytes. False: so many are not left, and none is counted."""
        item = _item(name, key)
        return cost == 0 or (self._windows.test(item, key.id, cost=cost) and self._windows.hit(item, key.id, cost=cost))

    def try_wrong_key(self, address: str) -> int | None:
        """Count a wrong key of an address, told by a digest. None: it is within the bound; else seconds until the next
        one may be.
        """
        if self._windows.hit(WRONG_KEYS, address):
            return None
        return max(1, ceil(self._windows.get_window_stats(WRONG_KEYS, address).reset_time - time.time()))

    def left(self, name: Name, key: Key | Guest) -> Left:
        """What is left of a quota in its window."""
        item = _item(name, key)
        reset_at, remaining = self._windows.get_window_stats(item, key.id)
        window_s = item.get_expiry()
        return Left(name, item.amount, window_s, remaining, min(max(0, ceil(reset_at - time.time())), window_s))


def _item(name: Name, key: Key | Guest) -> RateLimitItem:
    if name == "bytes":
        return RateLimitItemPerDay(key.quota.bytes_per_day, namespace="bytes")
    return RateLimitItemPerMinute(key.quota.requests_per_minute, namespace="requests")
