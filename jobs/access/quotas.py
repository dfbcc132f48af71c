"""What keys have used of their quotas, counted in the same Redis by `limits`; a window begins with its first use.

And how many wrong keys an address has tried. A right one is let in whatever its address did: nobody locks out others
who share it, behind a proxy or in an office. That no guess hits is due to the 256 random bits of a key.
"""

import hashlib
import time
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil
from typing import Literal

from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerMinute
from limits.storage import RedisStorage
from limits.strategies import FixedWindowRateLimiter
from redis import Redis

from jobs.access.keys import Guest, Key
from jobs.lua.scripts import load_scripts

Name = Literal["requests", "bytes"]
WRONG_KEYS = RateLimitItemPerMinute(30, namespace="wrong_keys")


@dataclass(frozen=True)
class Left:
    """Of a quota. most, remaining: requests, or bytes.  window_s: for which `most` holds.  reset_s: to its end."""

    name: Name
    most: int
    window_s: int
    remaining: int
    reset_s: int


class Quotas:
    """Counts for all web processes of one Redis. Thread-safe; any call may raise RedisError."""

    def __init__(self, redis: Redis) -> None:
        storage = RedisStorage("redis://", connection_pool=redis.connection_pool, key_prefix="diffam:limits")
        self._windows = FixedWindowRateLimiter(storage)
        self._at_once = load_scripts(redis)["at_once"]

    def jobs_at_once(self, key: Key | Guest) -> int:
        """How many jobs of the key wait or run."""
        return int(self._at_once(args=[key.id]))

    def use(self, name: Name, key: Key | Guest, cost: int) -> bool:
        """Count so many requests or bytes. False: so many are not left, and none is counted."""
        item = _item(name, key)
        return cost == 0 or (self._windows.test(item, key.id, cost=cost) and self._windows.hit(item, key.id, cost=cost))

    def try_wrong_key(self, address: str) -> int | None:
        """Count a wrong key of an address. None: it is within the bound; else seconds until the next one may be.

        An IPv6 address counts as its /64, of which one host may use every address.
        """
        where = _counted_as(address)
        if self._windows.hit(WRONG_KEYS, where):
            return None
        return max(1, ceil(self._windows.get_window_stats(WRONG_KEYS, where).reset_time - time.time()))

    def left(self, name: Name, key: Key | Guest) -> Left:
        """What is left of a quota in its window."""
        item = _item(name, key)
        reset_at, remaining = self._windows.get_window_stats(item, key.id)
        window_s = item.get_expiry()
        return Left(name, item.amount, window_s, remaining, min(max(0, ceil(reset_at - time.time())), window_s))


def _counted_as(address: str) -> str:
    """A digest: the store shows no address."""
    try:
        parsed = ip_address(address.partition("%")[0])
        if isinstance(parsed, IPv6Address):
            parsed = parsed.ipv4_mapped or ip_network((parsed, 64), strict=False).network_address
        address = str(parsed)
    except ValueError:  # a socket without addresses
        pass
    return hashlib.sha256(address.encode()).hexdigest()[:32]


def _item(name: Name, key: Key | Guest) -> RateLimitItem:
    if name == "bytes":
        return RateLimitItemPerDay(key.quota.bytes_per_day, namespace="bytes")
    return RateLimitItemPerMinute(key.quota.requests_per_minute, namespace="requests")
