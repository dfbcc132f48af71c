"""Whatever workers, reapers and clients do in whatever order: one owner, one ending, no job forgotten."""

from typing import ClassVar

import pytest
from hypothesis import HealthCheck, strategies
from hypothesis import settings as profile
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from redis import Redis

from diffam_client.contract.job import BundleName, CanceledBy, Job, JobError, JobInput
from diffam_client.contract.report import Progress
from diffam_client.contract.webhook import EVENTS, Webhook
from jobs.claims import Claim
from jobs.errors import ErasedJob, NotRetryable
from jobs.finished import Protected
from jobs.ledger import Ledger
from jobs.new_job import NewJob, Terms
from jobs.settings import Settings
from jobs.webhooks.outbox import Outbox
from tests.own_store import redis_url as redis_url

INPUT = JobInput(reference_id="rose", target_id="ada", width=64, height=64, bytes=5)
WEBHOOK = Webhook(url="https://photos.example.org/hook", events=EVENTS)


class OneJob(RuleBasedStateMachine):
    """One job, worked on by forgetful workers that keep every claim they ever got."""

    redis: ClassVar[Redis]
    ledger: ClassVar[Ledger]
    outbox: ClassVar[Outbox]
    protected: ClassVar[Protected]

    def __init__(self) -> None:
        super().__init__()
        self.redis.flushall()
        terms = Terms(end_within_s=1000, webhook=WEBHOOK)
        new = NewJob(INPUT, BundleName(name="mini", grade="demonstration"), terms=terms)
        self.job_id = self.ledger.accept(new, b"photo").job_id
        self.claims: list[Claim] = []
        self.endings = 0
        self.retries: set[str] = set()
        self.is_erased = False
        self.seen: Job = self.ledger.get(self.job_id)

    @rule()
    def claim(self) -> None:
        if claim := self.ledger.claim(self.job_id):
            self.claims.append(claim)

    @precondition(lambda self: self.claims)
    @rule(data=strategies.data(), deed=strategies.sampled_from(["heartbeat", "progress", "wait", "commit", "fail"]))
    def work(self, data: strategies.DataObject, deed: str) -> None:
        claim = data.draw(strategies.sampled_from(self.claims))
        is_newest = claim.token == self.claims[-1].token
        if deed == "heartbeat":
            is_done = claim not in self.ledger.heartbeat("w", [claim])
        elif deed == "progress":
            is_done = self.ledger.progress(claim, Progress(stage="invert", step=1, steps=2))
        elif deed == "wait":
            is_done = self.ledger.progress(claim, Progress(stage="detect", step=1, steps=1), at_risk=False)
        elif deed == "commit":
            is_done = self.ledger.commit(claim, self.protected, batch_size=1)
            self.endings += is_done
        else:
            is_done = self.ledger.fail(
                claim, JobError(code="x", message="", retryable=data.draw(strategies.booleans()))
            )
            self.endings += is_done
        assert is_newest or not is_done

    @rule()
    def lose_the_worker(self) -> None:
        self.redis.zadd("diffam:leases", {self.job_id: 1}, xx=True)

    @rule()
    def sweep(self) -> None:
        self.redis.delete("diffam:reaper")
        self.endings += len(self.ledger.reap().lost)

    @precondition(lambda self: not self.is_erased)
    @rule(by=strategies.sampled_from(["user", "operator"]))
    def cancel(self, by: CanceledBy) -> None:
        self.endings += self.ledger.cancel(self.job_id, by)

    @precondition(lambda self: not self.is_erased)
    @rule()
    def let_its_time_pass(self) -> None:
        """Set its end to before now, as the clock would; what is over has no deadline any more."""
        if self.redis.zscore("diffam:deadlines", self.job_id) is not None:
            self.redis.hset(f"diffam:job:{self.job_id}", "end_by", "1.000000")
            self.redis.zadd("diffam:deadlines", {self.job_id: 1})
            self.ledger.cancel_late()
            self.endings += self.ledger.get(self.job_id).canceled_by == "deadline"

    @precondition(lambda self: not self.is_erased)
    @rule()
    def retry(self) -> None:
        """The new job goes its own way; it is there exactly where one could be made, and this one stays as it is."""
        before = self.ledger.get(self.job_id)
        if before.retry_before is None and not self.retries:
            with pytest.raises(NotRetryable):
                self.ledger.retry(self.job_id)
            return
        self.retries.add(self.ledger.retry(self.job_id).job_id)
        (new,) = self.retries
        assert self.ledger.blob("photo", new) == b"photo"
        assert before.is_over
        self.seen = self.ledger.get(self.job_id)
        assert self.seen == before.model_copy(update={"retry_before": None})

    @rule()
    def erase(self) -> None:
        self.ledger.erase(self.job_id)
        self.is_erased = True

    @invariant()
    def the_record_tells_one_story(self) -> None:
        if self.is_erased:
            with pytest.raises(ErasedJob):
                self.ledger.get(self.job_id)
            assert list(self.redis.scan_iter(f"*{self.job_id}*")) == [f"diffam:gone:{self.job_id}".encode()]
            return
        job = self.ledger.get(self.job_id)
        zsets = ("queued", "line:protect", "bells", "leases", "running:protect", "deadlines", "index")
        places = {zset for zset in zsets if self.redis.zscore(f"diffam:{zset}", self.job_id) is not None}
        expected = {
            "queued": {"queued", "line:protect", "bells", "deadlines", "index"},
            "running": {"leases", "running:protect", "deadlines", "index"},
        }
        assert places == expected.get(job.status, {"index"})
        history = self.ledger.events(self.job_id)
        assert [event.revision for event in history] == list(range(1, job.revision + 1))
        assert (history[-1].status, history[-1].progress, history[-1].error) == (job.status, job.progress, job.error)
        assert [event for event in history if event.is_last] == (history[-1:] if job.is_over else [])
        assert (self.ledger.blob("photo", self.job_id) is not None) == (not job.is_over or job.retry_before is not None)
        assert self.endings == job.is_over
        told = self.outbox.read(self.job_id)
        assert told is not None
        events = (["job.started"] if self.claims else []) + ([f"job.{job.status}"] if job.is_over else [])
        assert [message.type for message in told.messages] == events
        assert (self.redis.zscore("diffam:outboxes", self.job_id) is not None) == bool(events)
        assert job.revision > self.seen.revision or job == self.seen
        assert not self.seen.is_over or job == self.seen
        assert job.attempt <= min(len(self.claims), job.max_attempts)
        self.seen = job


def test_any_order_of_events_tells_one_story(
    redis: Redis, ledger: Ledger, protected: Protected, settings: Settings
) -> None:
    class Bound(OneJob):
        pass

    Bound.redis, Bound.ledger, Bound.protected, Bound.outbox = redis, ledger, protected, Outbox(redis, settings)
    run_state_machine_as_test(
        Bound,
        settings=profile(
            max_examples=60,
            stateful_step_count=25,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
