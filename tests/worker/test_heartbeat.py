"""Leases live as long as their claims, and a dead worker's jobs come back."""

from threading import Event

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from jobs.ledger import Ledger
from jobs.repeating import repeating
from jobs.settings import Settings
from tests.worker.test_photo_jobs import accepted
from worker.heartbeat import Heartbeat, sweep


def lease(redis: Redis, job_id: str) -> float | None:
    score = redis.zscore("diffam:leases", job_id)
    assert score is None or isinstance(score, float)
    return score


def test_a_beat_extends_the_leases_of_held_claims_only(ledger: Ledger, redis: Redis) -> None:
    held, other = accepted(ledger), accepted(ledger)
    claim = ledger.claim(held)
    assert claim is not None
    ledger.claim(other)
    before = lease(redis, held), lease(redis, other)
    heartbeat = Heartbeat(ledger, "a worker")
    with heartbeat.holding(claim):
        heartbeat.beat()
    after = lease(redis, held), lease(redis, other)
    assert after[0] is not None
    assert before[0] is not None
    assert after[0] > before[0]
    assert after[1] == before[1]


def test_a_worker_without_claims_still_shows_that_it_lives(ledger: Ledger) -> None:
    Heartbeat(ledger, "a worker").beat()
    assert ledger.warm_workers() == 1


def test_a_sweep_rings_for_what_a_dead_worker_held(redis: Redis, settings: Settings) -> None:
    ledger = Ledger(redis, settings)
    job_id = accepted(ledger)
    ledger.claim(job_id)
    redis.zadd("diffam:leases", {job_id: 1.0})
    rung: list[str] = []

    def ring(job_id: str) -> bool:
        rung.append(job_id)
        return True

    sweep(ledger, ring)
    assert rung == [job_id]
    assert ledger.get(job_id).status == "queued"


def test_a_lost_connection_does_not_end_the_repetition() -> None:
    calls, is_third = 0, Event()

    def act() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            is_third.set()
        raise RedisConnectionError

    with repeating("test", act, 0.001):
        assert is_third.wait(60)
