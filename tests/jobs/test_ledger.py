"""The ledger's promises about a job's state, one by one, against a real server: who holds it, and how it ends."""

import time
from collections.abc import Callable

import pytest
from redis import Redis

from diffam_client.contract.job import DetectInput, JobError, JobInput
from diffam_client.contract.report import Progress
from jobs.claims import Reaped
from jobs.errors import UnknownJob
from jobs.finished import Protected
from jobs.ledger import Ledger
from jobs.new_job import NewJob
from jobs.settings import Settings
from tests.jobs.conftest import BUNDLE, claimed

Accept = Callable[[Ledger], str]
EndLease = Callable[[str], None]
NO_FACE = JobError(code="no_face_found", message="no face", retryable=False)


def test_a_job_travels_from_queued_to_succeeded(ledger: Ledger, accept: Accept, protected: Protected) -> None:
    job_id = accept(ledger)
    queued = ledger.get(job_id)
    assert (queued.status, queued.attempt, queued.queue and queued.queue.position) == ("queued", 0, 1)
    assert ledger.is_waiting(job_id)

    claim = claimed(ledger, job_id)
    assert isinstance(claim.input, JobInput)
    assert (claim.photo, claim.attempt, claim.input.reference_id) == (b"photo", 1, "rose")
    assert ledger.progress(claim, Progress(stage="invert", step=3, steps=6))
    running = ledger.get(job_id)
    assert (running.status, running.queue, running.progress and running.progress.step) == ("running", None, 3)

    assert not ledger.is_waiting(job_id)
    assert ledger.commit(claim, protected, batch_size=2)
    done = ledger.get(job_id)
    assert done.is_over
    assert done.output is not None
    assert done.output.faces == protected.candidates[0].faces
    assert done.output.candidates == []  # one picture: nothing to choose
    assert done.timings.batch_size == 2
    assert done.expires_at is not None
    assert ledger.blob("result", job_id) == b"protected"
    assert ledger.blob("comparison", job_id) == b"comparison"
    assert queued.revision < running.revision < done.revision


def test_ids_cannot_be_guessed(ledger: Ledger, accept: Accept) -> None:
    ids = {accept(ledger) for _ in range(20)}
    assert len(ids) == 20
    assert all(len(job_id) == 32 for job_id in ids)


def test_a_doubled_bell_finds_nothing_to_claim(ledger: Ledger, accept: Accept) -> None:
    job_id = accept(ledger)
    claimed(ledger, job_id)
    assert ledger.claim(job_id) is None
    assert ledger.claim("never-heard-of") is None


def test_a_job_whose_lease_ran_out_can_be_claimed_without_a_reaper(
    ledger: Ledger, accept: Accept, end_lease: EndLease
) -> None:
    job_id = accept(ledger)
    first = claimed(ledger, job_id, is_begun=True)
    end_lease(job_id)
    second = claimed(ledger, job_id)
    assert (second.attempt, second.token) == (2, 2)
    assert not first.is_suspect
    assert second.is_suspect


def test_an_attempt_counts_only_while_the_job_was_worked_on(
    ledger: Ledger, accept: Accept, end_lease: EndLease
) -> None:
    job_id = accept(ledger)
    for token in range(1, 6):  # more often than there are attempts
        claim = claimed(ledger, job_id, is_begun=token % 2 == 0)
        assert (claim.attempt, claim.token, claim.is_suspect) == (1, token, False)
        assert ledger.progress(claim, Progress(stage="detect", step=1, steps=1), at_risk=False)  # it waits for others
        end_lease(job_id)
        assert ledger.reap().requeued == (job_id,)
        assert ledger.get(job_id).attempt == 0
    claimed(ledger, job_id, is_begun=True)
    end_lease(job_id)
    ledger.reap()
    assert claimed(ledger, job_id).is_suspect


def test_a_worker_that_ends_gives_back_what_is_its_own(
    ledger: Ledger, redis: Redis, accept: Accept, end_lease: EndLease
) -> None:
    mine, theirs = accept(ledger), accept(ledger)
    old = claimed(ledger, theirs, is_begun=True)
    end_lease(theirs)
    claimed(ledger, theirs)
    ledger.release([claimed(ledger, mine), old])
    redis.delete("diffam:reaper")
    assert ledger.reap().requeued == (mine,)
    assert ledger.get(theirs).status == "running"


def test_a_zombie_changes_nothing(
    ledger: Ledger, redis: Redis, accept: Accept, protected: Protected, end_lease: EndLease
) -> None:
    job_id = accept(ledger)
    zombie = claimed(ledger, job_id)
    end_lease(job_id)
    owner = claimed(ledger, job_id)
    before = ledger.get(job_id)
    assert ledger.heartbeat("w", [zombie, owner]) == {zombie}
    assert not ledger.progress(zombie, Progress(stage="score", step=1, steps=1))
    assert not ledger.fail(zombie, NO_FACE)
    assert not ledger.commit(zombie, protected, batch_size=1)
    assert ledger.get(job_id) == before
    assert not redis.exists(f"diffam:result:{job_id}", f"diffam:result:{job_id}:1", f"diffam:comparison:{job_id}:1")
    assert ledger.commit(owner, protected, batch_size=1)


def test_a_terminal_state_never_changes(
    ledger: Ledger, accept: Accept, protected: Protected, end_lease: EndLease
) -> None:
    job_id = accept(ledger)
    claim = claimed(ledger, job_id)
    assert ledger.fail(claim, NO_FACE)
    failed = ledger.get(job_id)
    assert failed.error == NO_FACE
    end_lease(job_id)
    assert not ledger.commit(claim, protected, batch_size=1)
    assert ledger.claim(job_id) is None
    assert ledger.reap() == Reaped()
    assert ledger.get(job_id) == failed


def test_the_reaper_requeues_and_after_the_last_attempt_gives_up(
    ledger: Ledger, accept: Accept, end_lease: EndLease
) -> None:
    job_id = accept(ledger)
    for attempt in (1, 2):
        assert claimed(ledger, job_id, is_begun=True).attempt == attempt
        end_lease(job_id)
        swept = ledger.reap()
        assert swept.requeued == swept.bells == (job_id,)
        assert ledger.get(job_id).status == "queued"
    claimed(ledger, job_id, is_begun=True)
    end_lease(job_id)
    assert ledger.reap().lost == (job_id,)
    job = ledger.get(job_id)
    assert job.error is not None
    assert (job.status, job.error.code, job.error.retryable) == ("failed", "worker_lost", True)


def test_a_requeued_job_keeps_its_place_in_the_queue(ledger: Ledger, accept: Accept, end_lease: EndLease) -> None:
    first, second = accept(ledger), accept(ledger)
    claimed(ledger, first)
    end_lease(first)
    ledger.reap()
    queues = [ledger.get(job_id).queue for job_id in (first, second)]
    assert [queue and queue.position for queue in queues] == [1, 2]


def test_a_job_waits_for_those_of_its_own_kind(ledger: Ledger, accept: Accept) -> None:
    accept(ledger)
    wish = DetectInput(width=64, height=64, bytes=5)
    detect = [ledger.accept(NewJob(wish, BUNDLE, "detect"), b"photo").job_id for _ in "ab"]
    queues = [ledger.get(job_id).queue for job_id in detect]
    assert [queue and queue.position for queue in queues] == [1, 2]


def test_a_heartbeat_keeps_a_lease_but_cannot_bring_a_swept_one_back(
    redis: Redis, settings: Settings, accept: Accept, end_lease: EndLease
) -> None:
    ledger = Ledger(redis, settings.model_copy(update={"lease_s": 1}))
    job_id = accept(ledger)
    claim = claimed(ledger, job_id)
    for _ in range(3):
        time.sleep(0.5)
        assert ledger.heartbeat("w", [claim]) == frozenset()
    assert ledger.reap().requeued == ()
    end_lease(job_id)
    assert ledger.reap().requeued == (job_id,)
    assert ledger.heartbeat("w", [claim]) == {claim}
    assert redis.zscore("diffam:leases", job_id) is None


def test_only_one_sweep_runs_per_interval(ledger: Ledger, accept: Accept, end_lease: EndLease) -> None:
    job_id = accept(ledger)
    claimed(ledger, job_id)
    end_lease(job_id)
    assert ledger.reap().requeued == (job_id,)
    assert ledger.reap() == Reaped()


def test_a_lost_bell_is_rung_again_ever_more_rarely(redis: Redis, settings: Settings, accept: Accept) -> None:
    ledger = Ledger(redis, settings)
    job_id = accept(ledger)
    assert ledger.reap().bells == ()
    redis.zincrby("diffam:queued", -100, job_id)  # it has waited 100 s
    redis.zadd("diffam:bells", {job_id: 1})
    redis.delete("diffam:reaper")
    assert ledger.reap().overdue == (job_id,)
    next_ring, now = redis.zscore("diffam:bells", job_id), redis.time()[0]
    assert isinstance(next_ring, float)
    assert 95 < next_ring - now < 105


def test_a_job_that_nobody_works_on_times_out(ledger: Ledger, redis: Redis, accept: Accept) -> None:
    job_id = accept(ledger)
    redis.zadd("diffam:queued", {job_id: 1})
    assert ledger.reap().timed_out == (job_id,)
    job = ledger.get(job_id)
    assert job.error is not None
    assert job.error.code == "queue_timeout"


def test_an_unknown_job_is_unknown(ledger: Ledger) -> None:
    with pytest.raises(UnknownJob):
        ledger.get("nobody")
    with pytest.raises(UnknownJob):
        ledger.erase("nobody")


def test_a_worker_counts_as_warm_while_it_gives_signs_of_life(redis: Redis, settings: Settings) -> None:
    ledger = Ledger(redis, settings.model_copy(update={"lease_s": 1}))
    assert ledger.warm_workers() == 0
    ledger.heartbeat("a", [])
    ledger.heartbeat("b", [])
    assert ledger.warm_workers() == 2
    ledger.retire("a")
    assert ledger.warm_workers() == 1
    time.sleep(2.1)
    assert ledger.warm_workers() == 0
