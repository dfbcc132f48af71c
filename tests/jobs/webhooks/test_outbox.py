"""The outbox: written with the change that it tells of, leased to one sender at a time, gone with the job."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from redis import Redis

from diffam_client.contract.job import JobError
from diffam_client.contract.webhook import EVENTS, Attempt, AttemptError, Event, Webhook
from jobs.errors import ErasedJob, NotRedeliverable, UnknownJob
from jobs.finished import Protected
from jobs.ledger import Ledger
from jobs.new_job import NewJob, Terms
from jobs.settings import Settings
from jobs.webhooks.delivery import Delivery, Ending, Outcome
from jobs.webhooks.outbox import RETRIES, Outbox
from tests.jobs.conftest import BUNDLE, INPUT, claimed
from tests.own_store import redis_url as redis_url

URL = "https://photos.example.org/hook"
PASSING = JobError(code="out_of_memory", message="no memory", retryable=True)


@pytest.fixture
def outbox(redis: Redis, settings: Settings) -> Outbox:
    """With leases of 5.04 seconds, and hardly any pauses."""
    return Outbox(redis, settings.model_copy(update={"webhook_timeout_s": 0.01, "webhook_retry_s": 0.001}))


def told(ledger: Ledger, events: tuple[Event, ...] = EVENTS, url: str = URL, owner: str = "", ttl_s: int = 100) -> str:
    """A waiting job with a webhook."""
    terms = Terms(webhook=Webhook(url=url, events=events), ttl_s=ttl_s)
    return ledger.accept(NewJob(INPUT, BUNDLE, terms=terms, owner=owner), b"photo").job_id


def outcome(ending: Ending, delivery: Delivery, *, is_proven: bool = False) -> Outcome:
    """Of an attempt at it."""
    error: AttemptError | None = None if ending == "delivered" else "status"
    attempt = Attempt(at=datetime.now(UTC), message_id=delivery.message_id, status_code=200, error=error, seconds=0.1)
    return Outcome(ending, attempt, is_proven or ending == "delivered")


def taken(outbox: Outbox, count: int = 1) -> list[Delivery]:
    """So many deliveries, once they are due."""
    found: list[Delivery] = []
    deadline = time.monotonic() + 5
    while len(found) < count and time.monotonic() < deadline:
        found += outbox.take(10)
    assert len(found) == count
    return found


def verify(outbox: Outbox, ledger: Ledger, protected: Protected, url: str = URL) -> None:
    """Have an endpoint known as one that answered."""
    job_id = told(ledger, ("job.succeeded",), url)
    ledger.commit(claimed(ledger, job_id), protected, batch_size=1)
    (delivery,) = taken(outbox)
    assert outbox.settle(delivery, outcome("delivered", delivery))


def types(outbox: Outbox, job_id: str) -> list[str]:
    """Of the messages."""
    read = outbox.read(job_id)
    assert read is not None
    return [message.type for message in read.messages]


def test_every_ending_is_told_once_and_the_beginning_too(
    ledger: Ledger, outbox: Outbox, redis: Redis, protected: Protected
) -> None:
    done, failed, canceled, late, lost = (told(ledger) for _ in range(5))
    claim = claimed(ledger, done)
    assert ledger.commit(claim, protected, batch_size=1)
    assert not ledger.commit(claim, protected, batch_size=1)
    ledger.fail(claimed(ledger, failed), PASSING)
    ledger.cancel(canceled)
    redis.zadd("diffam:deadlines", {late: 1})
    ledger.cancel_late()
    for _ in range(3):
        claimed(ledger, lost, is_begun=True)
        redis.zadd("diffam:leases", {lost: 1}, xx=True)
        redis.delete("diffam:reaper")
        ledger.reap()
    assert types(outbox, done) == ["job.started", "job.succeeded"]
    assert types(outbox, failed) == types(outbox, lost) == ["job.started", "job.failed"]
    assert types(outbox, canceled) == types(outbox, late) == ["job.canceled"]


def test_only_the_events_that_are_wanted_are_told(ledger: Ledger, outbox: Outbox) -> None:
    job_id = told(ledger, ("job.succeeded",))
    ledger.fail(claimed(ledger, job_id), PASSING)
    assert types(outbox, job_id) == []
    assert outbox.take(10) == []
    with pytest.raises(NotRedeliverable):
        outbox.redeliver(job_id)


def test_the_second_message_waits_for_the_first_one_however_long_that_takes(
    ledger: Ledger, outbox: Outbox, protected: Protected
) -> None:
    job_id = told(ledger)
    ledger.commit(claimed(ledger, job_id), protected, batch_size=1)
    for tries in range(3):
        (delivery,) = taken(outbox)
        assert (delivery.type, delivery.tries, delivery.status) == ("job.started", tries, "running")
        assert outbox.take(10) == []
        assert outbox.settle(delivery, outcome("again", delivery, is_proven=True))
    (delivery,) = taken(outbox)
    assert outbox.settle(delivery, outcome("delivered", delivery))
    (second,) = taken(outbox)
    assert (second.type, second.status, second.tries) == ("job.succeeded", "succeeded", 0)


def test_what_happens_while_a_message_is_on_its_way_waits_for_that_one(
    ledger: Ledger, outbox: Outbox, protected: Protected
) -> None:
    verify(outbox, ledger, protected)
    job_id = told(ledger)
    claimed(ledger, job_id)
    (started,) = taken(outbox)
    ledger.cancel(job_id)
    assert outbox.take(10) == []
    outbox.settle(started, outcome("delivered", started))
    assert [each.type for each in outbox.take(10)] == ["job.canceled"]


def test_no_more_is_taken_than_there_is_room_for(ledger: Ledger, outbox: Outbox) -> None:
    for number in range(5):
        ledger.cancel(told(ledger, url=f"{URL}/{number}"))
    assert [len(outbox.take(2)) for _ in range(4)] == [2, 2, 1, 0]


def test_one_sender_at_a_time_has_a_job_whoever_asks(ledger: Ledger, outbox: Outbox, protected: Protected) -> None:
    verify(outbox, ledger, protected)
    verify(outbox, ledger, protected, f"{URL}2")
    for number in range(6):
        ledger.cancel(told(ledger, url=URL if number % 2 else f"{URL}2"))
    with ThreadPoolExecutor(8) as threads:
        batches = list(threads.map(lambda _: outbox.take(10), range(8)))
    ids = [delivery.job_id for batch in batches for delivery in batch]
    assert len(ids) == len(set(ids)) == 6


def test_a_lost_sender_costs_nothing_but_time_and_changes_nothing_any_more(
    ledger: Ledger, outbox: Outbox, redis: Redis
) -> None:
    job_id = told(ledger)
    ledger.cancel(job_id)
    (lost,) = taken(outbox)
    assert outbox.take(10) == []
    for zset in ("diffam:outboxes", "diffam:telling:", *redis.scan_iter("diffam:endpoint:*:under_way")):
        redis.zadd(zset, {job_id: 1})  # as when its lease has run out
    (again,) = taken(outbox)
    assert (again.message_id, again.token) == (lost.message_id, lost.token + 1)
    assert not outbox.settle(lost, outcome("delivered", lost))
    assert outbox.settle(again, outcome("again", again, is_proven=True))
    assert not outbox.settle(again, outcome("again", again))  # the client library sent it twice
    read = outbox.read(job_id)
    assert read is not None
    assert [(message.state, message.tries) for message in read.messages] == [("pending", 1)]


def test_what_is_given_back_is_due_at_once_and_counts_for_nothing(ledger: Ledger, outbox: Outbox) -> None:
    job_id = told(ledger)
    ledger.cancel(job_id)
    (delivery,) = taken(outbox)
    outbox.release(delivery)
    (again,) = outbox.take(10)
    assert (again.job_id, again.tries) == (job_id, 0)
    outbox.release(delivery)
    assert outbox.take(10) == []


def test_a_message_is_tried_eleven_times_and_the_next_one_has_its_own(ledger: Ledger, outbox: Outbox) -> None:
    job_id = told(ledger)
    claimed(ledger, job_id)
    ledger.cancel(job_id)
    for _ in range(1 + RETRIES):
        (delivery,) = taken(outbox)
        assert delivery.type == "job.started"
        outbox.settle(delivery, outcome("again", delivery, is_proven=True))
    (delivery,) = taken(outbox)
    assert (delivery.type, delivery.tries) == ("job.canceled", 0)


def test_pauses_double_and_all_of_them_are_over_before_a_result_expires(redis: Redis, settings: Settings) -> None:
    outbox = Outbox(redis, settings)
    for tries in range(RETRIES):
        longest = settings.webhook_retry_s * 2**tries
        drawn = [outbox.pause_s(tries) for _ in range(50)]
        assert all(0.75 * longest <= pause <= longest for pause in drawn)
        assert len(set(drawn)) > 1
    assert sum(settings.webhook_retry_s * 2**tries for tries in range(RETRIES)) < settings.result_ttl_s


def test_a_redelivery_during_a_delivery_makes_no_second_one_beside_it(
    ledger: Ledger, outbox: Outbox, protected: Protected
) -> None:
    verify(outbox, ledger, protected)
    job_id = told(ledger)
    claimed(ledger, job_id)
    ledger.cancel(job_id)
    (delivery,) = taken(outbox)
    outbox.redeliver(job_id)
    assert outbox.take(10) == []
    assert outbox.settle(delivery, outcome("delivered", delivery))
    assert [each.type for each in taken(outbox)] == ["job.canceled"]


def test_messages_live_as_long_as_their_job(ledger: Ledger, outbox: Outbox, redis: Redis) -> None:
    job_id = told(ledger, ttl_s=50)
    claim = claimed(ledger, job_id)
    (delivery,) = taken(outbox)
    outbox.settle(delivery, outcome("again", delivery, is_proven=True))
    ledger.fail(claim, PASSING)
    lives = {name.decode().split(":")[1]: redis.ttl(name) for name in redis.scan_iter(f"*{job_id}*")}
    assert all(0 < lives[part] <= 50 for part in ("job", "events", "outbox", "attempts"))
    names = [f"diffam:{part}:{job_id}" for part in ("job", "events", "outbox", "attempts", "photo", "again")]
    redis.zadd("diffam:ends", dict.fromkeys(names, 1), xx=True)
    ledger.reap()
    assert outbox.take(10) == []
    assert [name.decode() for name in redis.scan_iter(f"*{job_id}*")] == [f"diffam:gone:{job_id}"]
    assert redis.zcard("diffam:outboxes") == 0
    with pytest.raises(ErasedJob):
        outbox.read(job_id)


@pytest.mark.parametrize("is_under_way", [False, True])
def test_erasing_takes_the_messages_along_also_from_under_a_sender(
    ledger: Ledger, outbox: Outbox, redis: Redis, is_under_way: bool
) -> None:
    job_id = told(ledger)
    claimed(ledger, job_id)
    delivery = taken(outbox)[0] if is_under_way else None
    ledger.erase(job_id)
    if delivery:
        assert not outbox.settle(delivery, outcome("delivered", delivery))
    assert [name.decode() for name in redis.scan_iter(f"*{job_id}*")] == [f"diffam:gone:{job_id}"]
    assert outbox.take(10) == []
    assert list(redis.scan_iter("diffam:endpoint:*:under_way")) == list(redis.scan_iter("diffam:telling:*")) == []
    for act in (outbox.read, outbox.redeliver):
        with pytest.raises(ErasedJob):
            act(job_id)
        with pytest.raises(UnknownJob):
            act("nobody")


def test_a_full_store_still_notes_what_is_to_be_told(
    ledger: Ledger, outbox: Outbox, redis: Redis, protected: Protected
) -> None:
    job_id = told(ledger)
    claim = claimed(ledger, job_id)
    redis.config_set("maxmemory", "1")
    try:
        assert ledger.commit(claim, protected, batch_size=1)
        (delivery,) = taken(outbox)
        assert outbox.settle(delivery, outcome("delivered", delivery))
        assert [each.type for each in taken(outbox)] == ["job.succeeded"]
    finally:
        redis.config_set("maxmemory", "0")


def test_a_training_that_takes_hours_keeps_its_messages(ledger: Ledger, outbox: Outbox, redis: Redis) -> None:
    job_id = told(ledger)
    claim = claimed(ledger, job_id)
    for part in ("job", "outbox"):
        redis.expire(f"diffam:{part}:{job_id}", 5)
    ledger.heartbeat("w", [claim])
    assert redis.ttl(f"diffam:outbox:{job_id}") > 3000
    assert types(outbox, job_id) == ["job.started"]
