"""A job's parts, and a hand that ends leases early."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from redis import Redis

from jobs.ledger import Ledger, Protected
from jobs.record import BundleName, JobInput

INPUT = JobInput(reference_id="rose", target_id="ada", width=64, height=64, bytes=5)
BUNDLE = BundleName(name="mini", grade="demonstration")


@dataclass(frozen=True)
class Finished:
    """A pipeline result."""

    photo: bytes = b"protected"
    media_type: str = "image/png"
    width: int = 64
    height: int = 64
    comparison: bytes = b"comparison"
    faces: list[dict[str, Any]] = field(default_factory=lambda: [{"box": [1, 2, 3, 4]}])
    seconds: dict[str, float] = field(default_factory=lambda: {"invert": 0.5})


@pytest.fixture
def protected() -> Protected:
    """What a pipeline hands to `commit`."""
    return Finished()


@pytest.fixture
def accept() -> Callable[[Ledger], str]:
    """Puts a fresh job into a ledger."""
    return lambda ledger: ledger.accept(b"photo", INPUT, BUNDLE)


@pytest.fixture
def end_lease(redis: Redis) -> Callable[[str], None]:
    """Makes a job's lease run out now, and lets the next sweep happen at once."""

    def end(job_id: str) -> None:
        redis.zadd("diffam:leases", {job_id: 1}, xx=True)
        redis.delete("diffam:reaper")

    return end
