"""What a client may say about one job's time, how it ends then, and what a retry makes of it."""

import time
from collections.abc import Callable

import pytest
from redis import Redis

from diffam_client.contract.job import Job, JobError, StyleInput
from jobs.errors import ErasedJob, NotRetryable, QueueFull, UnknownJob
from jobs.finished import Protected
from jobs.ledger import Ledger
from jobs.new_job import NewJob, Terms
from jobs.settings import Settings
from tests.jobs.conftest import BUNDLE, INPUT, claimed

Accept = Callable[[Ledger], str]
EndLease = Callable[[str], None]
FINAL = JobError(code="no_face_found", message="no face", retryable=False)
NO_TERMS = Terms()
PASSING = JobError(code="out_of_memory", message="no memory", retryable=True)


def accepted(ledger: Ledger, terms: Terms = NO_TERMS) -> str:
    """A waiting job with deadlines of its own."""
    return ledger.accept(NewJob(INPUT, BUNDLE, terms=terms), b"photo").job_id


def ending(job: Job) -> tuple[str, str | None, bool | None, str]:
    """How a canceled job tells of its end."""
    assert job.error is not None
    return job.status, job.canceled_by, job.had_started, job.error.code


def test_a_job_that_nobody_began_in_time_is_canceled(ledger: Ledger) -> None:
    late, patient = accepted(ledger, Terms(start_within_s=0.1)), accepted(ledger, Terms(start_within_s=60))
    assert ledger.cancel_late() == []
    time.sleep(0.15)
    ledger.cancel_late()
    assert ending(ledger.get(late)) == ("canceled", "deadline", False, "deadline_passed")
    assert ledger.get(patient).status == "queued"
    assert ledger.claim(late) is None


def test_a_worker_that_comes_too_late_takes_nothing_even_before_anybody_looked(ledger: Ledger) -> None:
    job_id = accepted(ledger, Terms(start_within_s=0.1))
    time.sleep(0.15)
    assert ledger.claim(job_id) is None
    assert ending(ledger.get(job_id)) == ("canceled", "deadline", False, "deadline_passed")


def test_the_deadline_to_begin_ends_with_the_beginning(ledger: Ledger, redis: Redis, end_lease: EndLease) -> None:
    job_id = accepted(ledger, Terms(start_within_s=0.3))
    assert ledger.get(job_id).start_by is not None
    claimed(ledger, job_id)
    assert ledger.get(job_id).start_by is None
    time.sleep(0.35)
    end_lease(job_id)
    ledger.reap()
    assert ledger.cancel_late() == []
    assert ledger.get(job_id).status == "queued"
    assert redis.zcard("diffam:deadlines") == 0


@pytest.mark.parametrize("moment", ["queued", "running", "lost and queued again"])
def test_a_job_that_is_not_over_in_time_is_canceled_wherever_it_is(
    ledger: Ledger, end_lease: EndLease, protected: Protected, moment: str
) -> None:
    job_id = accepted(ledger, Terms(end_within_s=0.2, start_within_s=50))
    claim = claimed(ledger, job_id, is_begun=True) if moment != "queued" else None
    if moment == "lost and queued again":
        end_lease(job_id)
        ledger.reap()
    assert ledger.get(job_id).end_by is not None
    time.sleep(0.25)
    ledger.cancel_late()
    assert ending(ledger.get(job_id)) == ("canceled", "deadline", moment != "queued", "deadline_passed")
    if claim:
        assert ledger.heartbeat("w", [claim]) == {claim}
        assert not ledger.commit(claim, protected, batch_size=1)
    assert ledger.cancel_late() == []


def test_a_job_that_ends_in_time_is_left_alone(ledger: Ledger, redis: Redis, protected: Protected) -> None:
    job_id = accepted(ledger, Terms(end_within_s=0.2, start_within_s=0.1))
    ledger.commit(claimed(ledger, job_id), protected, batch_size=1)
    time.sleep(0.25)
    assert ledger.cancel_late() == []
    assert ledger.get(job_id).status == "succeeded"
    assert redis.zcard("diffam:deadlines") == 0


@pytest.mark.parametrize("is_begun", [False, True])
def test_a_user_who_cancels_is_named_and_the_photo_goes_at_once(ledger: Ledger, redis: Redis, is_begun: bool) -> None:
    job_id = accepted(ledger)
    if is_begun:
        claimed(ledger, job_id)
    assert ledger.cancel(job_id)
    assert ending(ledger.get(job_id)) == ("canceled", "user", is_begun, "canceled")
    assert not redis.exists(f"diffam:photo:{job_id}")
    with pytest.raises(NotRetryable):
        ledger.retry(job_id)


def test_a_job_that_its_operator_cancels_can_be_tried_again(ledger: Ledger) -> None:
    job_id = accepted(ledger)
    claimed(ledger, job_id)
    assert ledger.cancel(job_id, by="operator")
    assert ending(ledger.get(job_id)) == ("canceled", "operator", True, "canceled")
    assert claimed(ledger, ledger.retry(job_id).job_id).photo == b"photo"


def test_a_life_of_its_own_holds_for_all_that_came_of_a_job(ledger: Ledger, redis: Redis, protected: Protected) -> None:
    job_id = accepted(ledger, Terms(ttl_s=20))
    ledger.commit(claimed(ledger, job_id), protected, batch_size=1)
    job = ledger.get(job_id)
    assert job.expires_at is not None
    assert job.finished_at is not None
    assert (job.expires_at - job.finished_at).total_seconds() == 20
    lives = {name.decode().split(":")[1]: redis.ttl(name) for name in redis.scan_iter(f"*{job_id}*")}
    assert lives.keys() == {"job", "events", "result", "comparison", "gone"}
    assert all(life <= 20 for kind, life in lives.items() if kind != "gone")


def test_a_retry_is_a_new_job_of_the_same_photo_and_the_old_one_stays_as_it_was(
    ledger: Ledger, redis: Redis, protected: Protected
) -> None:
    old = accepted(ledger, Terms(ttl_s=30, end_within_s=100))
    ledger.fail(claimed(ledger, old), PASSING)
    before = ledger.get(old)
    assert before.retry_before is not None
    new = ledger.retry(old)
    assert not new.is_repeat
    assert ledger.get(old).model_dump(exclude={"retry_before"}) == before.model_dump(exclude={"retry_before"})
    assert ledger.get(old).retry_before is None
    again = ledger.get(new.job_id)
    assert (again.status, again.attempt, again.input, again.end_by) == ("queued", 0, before.input, None)
    assert not redis.exists(f"diffam:photo:{old}")
    claim = claimed(ledger, new.job_id)
    assert claim.photo == b"photo"
    assert ledger.commit(claim, protected, batch_size=1)
    assert len(ledger.events(old)) == before.revision


def test_whoever_retries_again_gets_the_same_new_job(ledger: Ledger, redis: Redis) -> None:
    old = accepted(ledger)
    ledger.fail(claimed(ledger, old), PASSING)
    first, second = ledger.retry(old), ledger.retry(old)
    assert (second.job_id, second.is_repeat) == (first.job_id, True)
    ledger.erase(first.job_id)
    with pytest.raises(ErasedJob):
        ledger.retry(old)
    assert not list(redis.scan_iter("diffam:photo:*"))


def test_what_cannot_be_tried_again_is_refused(ledger: Ledger, protected: Protected) -> None:
    queued, running, done, failed = (accepted(ledger) for _ in range(4))
    claimed(ledger, running)
    ledger.commit(claimed(ledger, done), protected, batch_size=1)
    ledger.fail(claimed(ledger, failed), FINAL)
    for job_id in (queued, running, done, failed):
        with pytest.raises(NotRetryable):
            ledger.retry(job_id)
        assert ledger.get(job_id).retry_before is None
    with pytest.raises(UnknownJob):
        ledger.retry("nobody")


def test_a_photo_that_is_gone_cannot_be_tried_again(ledger: Ledger, redis: Redis) -> None:
    expired, erased = accepted(ledger), accepted(ledger)
    redis.delete(f"diffam:photo:{expired}")
    assert ledger.claim(expired) is None  # it fails: the photo expired
    with pytest.raises(NotRetryable):
        ledger.retry(expired)
    ledger.fail(claimed(ledger, erased), PASSING)
    ledger.erase(erased)
    with pytest.raises(ErasedJob):
        ledger.retry(erased)
    assert [name.decode() for name in redis.scan_iter(f"*{erased}*")] == [f"diffam:gone:{erased}"]


def test_a_training_needs_no_photo_to_be_tried_again(ledger: Ledger) -> None:
    wish = StyleInput(
        reference_id="rose", target_id="ada", held_out="a", surrogates=("b",), mode="lora", objective="both"
    )
    old = ledger.accept(NewJob(wish, BUNDLE, "finetune")).job_id
    ledger.fail(claimed(ledger, old), PASSING)
    new = ledger.retry(old).job_id
    assert ledger.get(new).kind == "finetune"
    assert claimed(ledger, new).input == wish


def test_the_photo_waits_for_a_retry_as_long_as_is_set_and_no_longer(redis: Redis, settings: Settings) -> None:
    ledger = Ledger(redis, settings.model_copy(update={"retry_ttl_s": 50}))
    kept = accepted(ledger)
    ledger.fail(claimed(ledger, kept), PASSING)
    assert 0 < redis.ttl(f"diffam:photo:{kept}") <= 50
    names = [f"diffam:{kind}:{kept}" for kind in ("photo", "again")]
    redis.zadd("diffam:ends", dict.fromkeys(names, 1), xx=True)
    ledger.reap()
    assert not redis.exists(*names)
    never = Ledger(redis, settings.model_copy(update={"retry_ttl_s": 0}))
    gone = accepted(never)
    never.fail(claimed(never, gone), PASSING)
    assert not redis.exists(f"diffam:photo:{gone}")
    assert never.get(gone).retry_before is None


def test_a_full_queue_refuses_a_retry_and_keeps_the_photo_for_the_next(redis: Redis, settings: Settings) -> None:
    ledger = Ledger(redis, settings.model_copy(update={"max_queued": 1}))
    old = accepted(ledger)
    ledger.fail(claimed(ledger, old), PASSING)
    other = accepted(ledger)
    with pytest.raises(QueueFull):
        ledger.retry(old)
    claimed(ledger, other)
    assert ledger.blob("photo", ledger.retry(old).job_id) == b"photo"
