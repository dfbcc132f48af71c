"""Every change of a job is told once, in order, and how long others took tells how long it will take."""

import time
from collections.abc import Callable

import pytest
from redis import Redis

from diffam_client.contract.job import JobError
from diffam_client.contract.report import Progress, Stage
from jobs.errors import ErasedJob, UnknownJob
from jobs.finished import Protected
from jobs.ledger import Ledger
from tests.jobs.conftest import claimed

Accept = Callable[[Ledger], str]
EndLease = Callable[[str], None]


def step(stage: Stage, number: int) -> Progress:
    """That many of two steps are done."""
    return Progress(stage=stage, step=number, steps=2)


def test_a_life_is_told_change_by_change(ledger: Ledger, accept: Accept, protected: Protected) -> None:
    job_id = accept(ledger)
    claim = claimed(ledger, job_id)
    for number in (0, 1, 1, 2):  # one of them twice: no news
        assert ledger.progress(claim, step("invert", number))
    assert ledger.progress(claim, step("invert", 2), at_risk=False)
    assert ledger.commit(claim, protected, batch_size=1)
    events = ledger.events(job_id)
    assert [(each.status, each.progress and each.progress.step, each.name) for each in events] == [
        ("queued", None, "status"), ("running", None, "status"), ("running", 0, "progress"),
        ("running", 1, "progress"), ("running", 2, "progress"), ("succeeded", None, "status"),
    ]  # fmt: skip
    assert [each.revision for each in events] == [1, 2, 3, 4, 5, 6]
    assert [each.is_last for each in events] == [False] * 5 + [True]
    assert [each.at for each in events] == sorted(each.at for each in events)
    assert ledger.get(job_id).revision == 6
    assert ledger.events(job_id, after=4) == events[4:]
    assert ledger.events(job_id, after=6) == []


def test_what_a_dead_worker_did_stays_in_the_history(ledger: Ledger, accept: Accept, end_lease: EndLease) -> None:
    job_id = accept(ledger)
    claimed(ledger, job_id, is_begun=True)
    end_lease(job_id)
    ledger.reap()
    zombie = claimed(ledger, job_id, is_begun=True)
    end_lease(job_id)
    owner = claimed(ledger, job_id)  # without a sweep in between
    assert not ledger.progress(zombie, step("score", 1))
    error = JobError(code="no_face_found", message="no face", retryable=False)
    assert ledger.fail(owner, error)
    told = [(each.status, each.attempt, each.progress is not None) for each in ledger.events(job_id)]
    assert told == [
        ("queued", 0, False), ("running", 1, False), ("running", 1, True), ("queued", 1, False),
        ("running", 2, False), ("running", 2, True), ("running", 3, False), ("failed", 3, False),
    ]  # fmt: skip
    assert ledger.events(job_id)[-1].error == error


def test_a_job_that_is_gone_has_no_history(ledger: Ledger, redis: Redis, accept: Accept) -> None:
    job_id = accept(ledger)
    ledger.erase(job_id)
    assert not redis.exists(f"diffam:events:{job_id}")
    with pytest.raises(ErasedJob):
        ledger.events(job_id)
    with pytest.raises(UnknownJob):
        ledger.events("nobody")


def test_the_pace_of_those_before_tells_when_a_job_will_be_over(
    ledger: Ledger, accept: Accept, protected: Protected
) -> None:
    def finish_each_after(seconds: float) -> None:
        for job_id in [accept(ledger) for _ in range(3)]:
            claim = claimed(ledger, job_id)
            time.sleep(seconds)
            assert ledger.commit(claim, protected, batch_size=1)

    def eta_s(job_id: str) -> float:
        queue = ledger.get(job_id).queue
        assert queue is not None
        assert queue.eta_s is not None
        return queue.eta_s

    first = ledger.get(accept(ledger))
    assert first.queue is not None
    assert first.queue.eta_s is None  # nobody knows yet
    ledger.erase(first.id)
    finish_each_after(0.3)
    running, waiting = accept(ledger), [accept(ledger) for _ in range(4)]
    claim = claimed(ledger, running)
    etas = [eta_s(job_id) for job_id in waiting]
    assert etas == sorted(etas)
    assert 2 * 0.3 <= etas[0] < 2 * 0.6  # the one that runs, and itself
    assert etas[3] == pytest.approx(etas[0] * 5 / 2, abs=0.2)
    ledger.commit(claim, protected, batch_size=1)
    assert eta_s(waiting[3]) < etas[3]


def test_jobs_that_end_together_have_the_pace_of_a_batch(ledger: Ledger, accept: Accept, protected: Protected) -> None:
    batch = [claimed(ledger, accept(ledger)) for _ in range(4)]
    time.sleep(1)
    for claim in batch:
        ledger.commit(claim, protected, batch_size=4)
    queue = ledger.get(accept(ledger)).queue
    assert queue is not None
    assert queue.eta_s is not None
    assert 1 <= queue.eta_s < 1.5  # the pace is a quarter of it, but nobody is faster than by himself
    behind = [ledger.get(accept(ledger)).queue for _ in range(7)][-1]
    assert behind is not None
    assert behind.eta_s is not None
    assert behind.eta_s < 8 * 0.9  # a second for four; the weight of the first, which had none before it, fades
