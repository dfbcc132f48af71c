"""A job's parts, and a hand that ends leases early."""

from collections.abc import Callable

import pytest
from redis import Redis

from diffam_client.contract.job import BundleName, JobInput
from diffam_client.contract.report import Progress
from jobs.claims import Claim
from jobs.finished import Protected
from jobs.ledger import Ledger
from jobs.new_job import NewJob
from tests.finished import FinishedPhoto

INPUT = JobInput(reference_id="rose", target_id="ada", width=64, height=64, bytes=5)
BUNDLE = BundleName(name="mini", grade="demonstration")


def claimed(ledger: Ledger, job_id: str, *, is_begun: bool = False) -> Claim:
    """The claim on a waiting job; `is_begun`: work on it has begun."""
    claim = ledger.claim(job_id)
    assert claim is not None
    assert not is_begun or ledger.progress(claim, Progress(stage="detect", step=0, steps=1))
    return claim


@pytest.fixture
def protected() -> Protected:
    """What a pipeline hands to `commit`."""
    return FinishedPhoto()


@pytest.fixture
def accept() -> Callable[[Ledger], str]:
    """Puts a fresh job into a ledger."""
    return lambda ledger: ledger.accept(NewJob(INPUT, BUNDLE), b"photo").job_id


@pytest.fixture
def end_lease(redis: Redis) -> Callable[[str], None]:
    """Makes a job's lease run out now, and lets the next sweep happen at once."""

    def end(job_id: str) -> None:
        redis.zadd("diffam:leases", {job_id: 1}, xx=True)
        redis.delete("diffam:reaper")

    return end
