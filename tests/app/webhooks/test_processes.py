"""Several web processes, and some that die: everybody is told at least once, in order, and by one of them at a time."""

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from redis import Redis

from diffam_client.contract.webhook import EVENTS, Webhook
from jobs.ledger import Ledger
from jobs.new_job import NewJob, Terms
from jobs.settings import Settings
from jobs.webhooks.outbox import Outbox
from tests.app.conftest import WebProcess, web_process
from tests.jobs.conftest import BUNDLE, INPUT
from tests.receiver import OK, Receiver, Reply, eventually

Finish = Callable[[str], None]
Accept = Callable[[], str]


@pytest.fixture
def told(ledger: Ledger, receiver: Receiver, secret: str) -> Accept:
    """A waiting job that the receiver is told of."""
    assert secret
    terms = Terms(webhook=Webhook(url=receiver.url, events=EVENTS))
    return lambda: ledger.accept(NewJob(INPUT, BUNDLE, terms=terms), b"photo").job_id


@pytest.fixture
def processes(settings: Settings) -> Iterator[Callable[[], WebProcess]]:
    """Starts web processes."""
    with ExitStack() as held:
        yield lambda: held.enter_context(web_process(settings))


def is_told(outbox: Outbox, job_id: str) -> bool:
    """Whether all of its messages were taken."""
    read = outbox.read(job_id)
    return read is not None and {message.state for message in read.messages} == {"delivered"}


def heard(receiver: Receiver, job_id: str) -> list[str]:
    """What the receiver was told of a job."""
    return [each.told["type"] for each in receiver.messages if each.told["data"]["id"] == job_id]


def test_two_processes_share_the_work_and_tell_nothing_twice(
    processes: Callable[[], WebProcess],
    told: Accept,
    receiver: Receiver,
    finish: Finish,
    redis: Redis,
    settings: Settings,
) -> None:
    outbox = Outbox(redis, settings)
    receiver.behave = lambda number: Reply(after_s=0.1) if number % 3 else Reply(503)
    for _ in range(2):
        processes()
    jobs = [told() for _ in range(12)]
    for job_id in jobs:
        finish(job_id)
    assert eventually(lambda: all(is_told(outbox, job_id) for job_id in jobs), 60)
    for job_id in jobs:
        read = outbox.read(job_id)
        assert read is not None
        tries = [message.type for message in read.messages for _ in message.attempts]
        assert heard(receiver, job_id) == tries
        assert tries == sorted(tries)  # started before succeeded, as in the alphabet
    assert receiver.most_under_way <= 4
    assert receiver.challenges == 1


def test_a_process_that_is_killed_in_the_middle_of_a_delivery_costs_no_message(
    processes: Callable[[], WebProcess],
    told: Accept,
    receiver: Receiver,
    finish: Finish,
    redis: Redis,
    settings: Settings,
) -> None:
    outbox = Outbox(redis, settings)
    receiver.behave = lambda number: Reply(after_s=0.5) if number < 4 else OK
    first = processes()
    jobs = [told() for _ in range(5)]
    for job_id in jobs:
        finish(job_id)
    assert eventually(lambda: receiver.under_way and receiver.messages)
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()
    processes()
    assert eventually(lambda: all(is_told(outbox, job_id) for job_id in jobs), 60)  # leases of 7.8 s end first
    for job_id in jobs:
        everything = heard(receiver, job_id)
        assert everything == sorted(everything)
        assert set(everything) == {"job.started", "job.succeeded"}


def test_a_process_that_stops_gives_back_what_it_was_telling(
    told: Accept, receiver: Receiver, finish: Finish, redis: Redis, settings: Settings
) -> None:
    patient = settings.model_copy(update={"webhook_timeout_s": 20})  # and so its leases last 85 s
    receiver.behave = lambda number: OK if number else Reply(after_s=60)
    with web_process(patient) as first:
        job_id = told()
        finish(job_id)
        assert eventually(lambda: receiver.under_way and receiver.messages)
        first.process.terminate()
        first.process.wait(timeout=60)
    with web_process(patient):
        assert eventually(lambda: is_told(Outbox(redis, patient), job_id))
    assert heard(receiver, job_id) == ["job.started", "job.started", "job.succeeded"]


def test_a_store_that_is_away_for_a_while_costs_no_message(
    processes: Callable[[], WebProcess],
    told: Accept,
    finish: Finish,
    redis: Redis,
    settings: Settings,
) -> None:
    outbox = Outbox(redis, settings)
    web = processes()
    job_id = told()
    redis.client_kill_filter(_type="normal", skipme=True)
    finish(job_id)
    assert eventually(lambda: is_told(outbox, job_id))
    assert httpx.get(f"http://127.0.0.1:{web.port}/livez").is_success


def test_a_message_is_told_whoever_ended_the_job_and_whoever_was_there(
    processes: Callable[[], WebProcess], told: Accept, receiver: Receiver, ledger: Ledger, redis: Redis
) -> None:
    job_id = told()
    claim: Any = ledger.claim(job_id)
    ledger.cancel(job_id)
    assert ledger.heartbeat("w", [claim]) == {claim}
    assert redis.zscore("diffam:outboxes", job_id) is not None
    processes()
    assert eventually(lambda: heard(receiver, job_id) == ["job.started", "job.canceled"])
