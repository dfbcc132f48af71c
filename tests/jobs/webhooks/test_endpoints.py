"""Endpoints: so many messages at once, one challenge at a time, and nothing more once they answered 410."""

import time

import pytest
from redis import Redis

from diffam_client.contract.webhook import EVENTS, Webhook
from jobs.errors import EndpointDisabled
from jobs.finished import Protected
from jobs.ledger import Ledger
from jobs.new_job import NewJob, Once, Terms
from jobs.settings import Settings
from jobs.webhooks.outbox import AT_ONCE, OWNED_AT_ONCE, Outbox
from tests.jobs.conftest import BUNDLE, INPUT, claimed
from tests.jobs.webhooks.test_outbox import URL, outcome, taken, told, verify
from tests.jobs.webhooks.test_outbox import outbox as outbox
from tests.own_store import redis_url as redis_url


def test_an_endpoint_is_not_told_by_more_than_so_many_at_once(ledger: Ledger, outbox: Outbox) -> None:
    jobs = [told(ledger) for _ in range(AT_ONCE + 2)]
    for job_id in jobs:
        ledger.cancel(job_id)
    (challenged,) = outbox.take(10)  # nobody knows yet whether it wants any
    other = told(ledger, url="https://elsewhere.example.org/")
    ledger.cancel(other)
    assert [each.job_id for each in outbox.take(10)] == [other]
    assert outbox.settle(challenged, outcome("delivered", challenged))
    time.sleep(1.05)
    assert len(outbox.take(10)) == AT_ONCE


def test_an_owner_takes_no_places_from_others_however_many_endpoints_there_are(ledger: Ledger, outbox: Outbox) -> None:
    greedy = [told(ledger, owner="a", url=f"{URL}/{number}") for number in range(OWNED_AT_ONCE + 10)]
    modest = told(ledger, owner="b")
    for job_id in (*greedy, modest):
        ledger.cancel(job_id)
    taken_now = [delivery.job_id for delivery in outbox.take(100)]
    assert len(taken_now) == OWNED_AT_ONCE + 1
    assert modest in taken_now


def test_after_a_challenge_that_was_not_answered_nobody_asks_before_the_pause_is_over(
    ledger: Ledger, redis: Redis, settings: Settings
) -> None:
    outbox = Outbox(redis, settings.model_copy(update={"webhook_retry_s": 1.0}))
    first, second = told(ledger), told(ledger)
    ledger.cancel(first)
    (delivery,) = taken(outbox)
    outbox.settle(delivery, outcome("unverified", delivery))
    ledger.cancel(second)
    assert outbox.take(10) == []
    time.sleep(1.05)
    assert len(outbox.take(10)) == 1


def test_gone_ends_it_for_everybody_of_that_owner_and_for_nobody_else(ledger: Ledger, outbox: Outbox) -> None:
    first, second = told(ledger, owner="a"), told(ledger, owner="a")
    for job_id in (first, second):
        ledger.cancel(job_id)
    (delivery,) = taken(outbox)
    outbox.settle(delivery, outcome("gone", delivery))
    time.sleep(1.05)
    assert outbox.take(10) == []
    for job_id in (first, second):
        read = outbox.read(job_id)
        assert read is not None
        assert (read.endpoint, [message.state for message in read.messages]) == ("disabled", ["failed"])
    with pytest.raises(EndpointDisabled):
        told(ledger, owner="a")
    told(ledger, owner="a", url=f"{URL}/other")
    other = told(ledger, owner="b")
    ledger.cancel(other)
    assert [each.job_id for each in outbox.take(10)] == [other]


def test_a_job_that_its_disabled_endpoint_refused_leaves_nothing(ledger: Ledger, outbox: Outbox, redis: Redis) -> None:
    job_id = told(ledger)
    ledger.cancel(job_id)
    (delivery,) = taken(outbox)
    outbox.settle(delivery, outcome("gone", delivery))
    before = set(redis.scan_iter())
    once = Once.by_key("holiday").sealed("said", {})
    new = NewJob(INPUT, BUNDLE, once=once, terms=Terms(webhook=Webhook(url=URL, events=EVENTS)))
    with pytest.raises(EndpointDisabled):
        ledger.accept(new, b"photo")
    assert set(redis.scan_iter()) - before <= {b"diffam:erased"}
    assert ledger.made_before(once) is None


def test_a_success_that_comes_late_does_not_enable_what_said_gone(
    ledger: Ledger, outbox: Outbox, protected: Protected
) -> None:
    verify(outbox, ledger, protected)
    first, second = told(ledger), told(ledger)
    for job_id in (first, second):
        ledger.cancel(job_id)
    one, two = taken(outbox, 2)
    outbox.settle(one, outcome("gone", one))
    outbox.settle(two, outcome("delivered", two))
    with pytest.raises(EndpointDisabled):
        told(ledger)


def test_a_redelivery_asks_a_disabled_endpoint_anew(ledger: Ledger, outbox: Outbox) -> None:
    job_id = told(ledger)
    claimed(ledger, job_id)
    ledger.cancel(job_id)
    (delivery,) = taken(outbox)
    outbox.settle(delivery, outcome("gone", delivery))
    assert outbox.take(10) == []
    outbox.redeliver(job_id)
    (again,) = taken(outbox)
    assert (again.type, again.tries, again.is_verified, again.message_id) == (
        "job.started", 0, False, delivery.message_id,
    )  # fmt: skip
