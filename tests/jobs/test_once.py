"""A request that comes again makes no second job, also where nobody looked before: the script that accepts decides."""

from io import BytesIO

import pytest
from redis import Redis

from jobs.errors import ErasedJob, JobExists, KeyReused
from jobs.ledger import ONCE_S, Ledger
from jobs.new_job import NewJob, Once
from tests.jobs.conftest import BUNDLE, INPUT

ID = "8a1f0b6e4c7d4e2f9b3a5d6c7e8f9012"
BY = {"key": Once.by_key("k"), "id": Once.by_id(ID)}


def request(by: str, said: str = "rose", photo: bytes = b"photo") -> NewJob:
    """What a client sent under that name."""
    return NewJob(INPUT, BUNDLE, once=BY[by].sealed(said, {"photo": BytesIO(photo)}))


@pytest.mark.parametrize("by", ["key", "id"])
def test_the_second_of_two_that_were_both_new_a_moment_ago_is_the_repeat(ledger: Ledger, redis: Redis, by: str) -> None:
    first, second = (ledger.accept(request(by), b"photo") for _ in range(2))
    assert (first.is_repeat, second.is_repeat) == (False, True)
    assert first.job_id == second.job_id
    assert by == "key" or first.job_id == ID
    assert len(list(redis.scan_iter("diffam:photo:*"))) == redis.zcard("diffam:queued") == 1


@pytest.mark.parametrize(("by", "refusal"), [("key", KeyReused), ("id", JobExists)])
def test_another_photo_or_wish_is_refused_and_leaves_nothing(
    ledger: Ledger, redis: Redis, by: str, refusal: type[Exception]
) -> None:
    ledger.accept(request(by), b"photo")
    for other in (request(by, said="plum"), request(by, photo=b"other")):
        with pytest.raises(refusal):
            ledger.accept(other, b"other")
    assert len(list(redis.scan_iter("diffam:photo:*"))) == 1


def test_a_request_is_known_for_a_day_and_longer_than_its_job_lives(ledger: Ledger, redis: Redis) -> None:
    ledger.accept(request("key"), b"photo")
    (name,) = redis.scan_iter("diffam:once:*")
    assert redis.ttl(name) >= ONCE_S
    job_id = ledger.made_before(request("key").once or BY["key"])
    assert job_id is not None
    ledger.erase(job_id)
    with pytest.raises(ErasedJob):
        ledger.accept(request("key"), b"photo")


def test_the_store_learns_neither_the_key_nor_a_digest_of_the_photo_alone(ledger: Ledger, redis: Redis) -> None:
    new = NewJob(INPUT, BUNDLE, once=Once.by_key("a secret key").sealed("", {"photo": BytesIO(b"photo")}))
    other = Once.by_key("another key").sealed("", {"photo": BytesIO(b"photo")})
    assert new.once is not None
    assert new.once.payload != other.payload
    ledger.accept(new, b"photo")
    (name,) = redis.scan_iter("diffam:once:*")
    assert "secret" not in f"{name!r} {redis.hgetall(name)!r}"
    assert "secret" not in repr(new.once)
