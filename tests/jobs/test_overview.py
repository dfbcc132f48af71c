"""What an operator sees of the ledger, at what cost, and for how long."""

from datetime import UTC, datetime

import pytest
from redis import Redis

from diffam_client.contract.admin import SHORT, Line, WorkerFacts
from diffam_client.contract.job import JobError, StyleInput
from diffam_client.contract.report import Progress
from jobs.claims import Claim
from jobs.finished import Protected
from jobs.ledger import Ledger
from jobs.new_job import NewJob
from jobs.reading.overview import MOST_POINTS, MOST_WAITING, Overview, Seen
from jobs.settings import Settings
from tests.jobs.conftest import BUNDLE, INPUT, claimed

STYLE = StyleInput(
    reference_id="copper", target_id="ada", held_out="ir50", surrogates=("vit",), mode="lora", objective="both"
)
FACTS = WorkerFacts(bundle="mini", device="cpu", version="1", torch="2", started_at=datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def overview(redis: Redis, settings: Settings) -> Overview:
    """Of the ledger of this test."""
    return Overview(redis, settings)


def line_of(seen: Seen, kind: str = "protect") -> Line:
    (line,) = [line for line in seen.lines if line.kind == kind]
    return line


def accepted(ledger: Ledger, owner: str = "") -> str:
    return ledger.accept(NewJob(INPUT, BUNDLE, owner=owner), b"photo").job_id


def training(ledger: Ledger) -> Claim:
    job_id = ledger.accept(NewJob(STYLE, BUNDLE, kind="finetune")).job_id
    claim = ledger.claim(job_id, "there:7")
    assert claim is not None
    return claim


def learn(ledger: Ledger, claim: Claim, first: int, last: int, loss: float) -> None:
    """Steps of a training, each with its loss."""
    for step in range(first, last + 1):
        losses = {"dodge": loss, "step": float(step)}
        assert ledger.progress(claim, Progress(stage="fine_tune", step=step, steps=9999, losses=losses))


def test_lines_tell_who_waits_how_long_and_until_when_as_the_jobs_themselves_do(
    ledger: Ledger, overview: Overview, protected: Protected
) -> None:
    assert ledger.commit(claimed(ledger, accepted(ledger)), protected, batch_size=1)
    ids = [accepted(ledger, "key-1") for _ in range(3)]
    claimed(ledger, ids[0])
    line = line_of(overview.read())
    assert (line.waiting, line.running) == (2, 1)
    assert [job.id for job in line.first] == [job_id[:SHORT] for job_id in ids[1:]]
    assert {job.owner for job in line.first} == {"key-1"}
    assert line.seconds_per_job == ledger.seconds_per_job("protect")
    for job, job_id in zip(line.first, ids[1:], strict=True):
        place = ledger.get(job_id).queue
        assert place is not None
        assert job.eta_s == place.eta_s
    assert line.eta_s == line.first[-1].eta_s
    assert line.oldest_s == line.first[0].waited_s
    empty = line_of(overview.read(), "detect")
    assert (empty.waiting, empty.oldest_s, empty.eta_s, empty.seconds_per_job) == (0, None, None, None)


def test_a_worker_is_seen_with_what_it_says_and_what_it_works_on_until_it_leaves_or_dies(
    redis: Redis, settings: Settings
) -> None:
    ledger = Ledger(redis, settings)
    overview = Overview(redis, settings)
    job_id = accepted(ledger)
    claim = ledger.claim(job_id, "here:1")
    assert claim is not None
    ledger.progress(claim, Progress(stage="refine", step=1, steps=2))
    ledger.heartbeat("here:1", [claim], FACTS.model_dump_json())
    ledger.heartbeat("here:2", [])
    first, second = sorted(overview.read().workers, key=lambda worker: worker.name)
    assert (first.name, first.facts, first.jobs) == ("here:1", FACTS, [job_id[:SHORT]])
    assert (second.name, second.facts, second.jobs) == ("here:2", None, [])
    (job,) = line_of(overview.read()).at_work
    assert (job.worker, job.stage, job.attempt, job.max_attempts) == ("here:1", "refine", 1, 3)
    assert 0 <= job.heard_s < 5
    ledger.retire("here:2")
    redis.zadd("diffam:workers", {"here:1": 1})
    ledger.heartbeat("here:3", [])
    assert [worker.name for worker in overview.read().workers] == ["here:3"]
    assert redis.hkeys("diffam:crew") == [b"here:3"]


def test_whoever_took_a_job_that_was_lost_has_it_no_more(ledger: Ledger, overview: Overview, redis: Redis) -> None:
    job_id = accepted(ledger)
    assert ledger.claim(job_id, "here:1")
    redis.zadd("diffam:leases", {job_id: 1.0})
    ledger.reap()
    assert line_of(overview.read()).first[0].id == job_id[:SHORT]
    assert redis.hget(f"diffam:job:{job_id}", "worker") is None
    assert "worker" not in ledger.get(job_id).model_dump()


def test_endings_are_counted_by_hour_kind_and_code_and_stay_when_jobs_are_erased(
    ledger: Ledger, overview: Overview, redis: Redis, protected: Protected
) -> None:
    done, bad, worse, unwanted = (accepted(ledger) for _ in range(4))
    ledger.commit(claimed(ledger, done), protected, batch_size=1)
    for job_id in (bad, worse):
        ledger.fail(claimed(ledger, job_id), JobError(code="no_face_found", message="", retryable=False))
    ledger.cancel(unwanted)
    ledger.fail(training(ledger), JobError(code="internal", message="", retryable=True))
    for job_id in (done, bad, worse, unwanted):
        ledger.erase(job_id)
    seen = overview.read()
    assert {(each.kind, each.status, each.code, each.is_retryable, each.count) for each in seen.ended} == {
        ("protect", "succeeded", "", False, 1), ("protect", "failed", "no_face_found", False, 2),
        ("protect", "canceled", "canceled", True, 1), ("finetune", "failed", "internal", True, 1),
    }  # fmt: skip
    assert len(seen.hours) == 24
    now = seen.hours[-1]
    assert (now.succeeded, now.failed, now.canceled) == (1, 3, 1)
    assert now.at <= seen.at
    for name in redis.scan_iter("diffam:ended:*"):
        assert 24 * 3600 < redis.ttl(name) <= 25 * 3600


def test_a_loss_curve_has_as_many_points_as_a_picture_needs_however_long_the_training(
    ledger: Ledger, overview: Overview
) -> None:
    claim = training(ledger)
    ledger.progress(claim, Progress(stage="load", step=1, steps=1))
    learn(ledger, claim, 1, 5, 0.5)
    (short,) = overview.read().trainings
    assert [point.step for point in short.curve] == [1, 2, 3, 4, 5]
    learn(ledger, claim, 6, 1000, 0.5)
    (long,) = overview.read().trainings
    steps = [point.step for point in long.curve]
    assert MOST_POINTS * 0.9 < len(steps) <= MOST_POINTS
    assert (steps[0] < 12, steps[-1], steps == sorted(set(steps))) == (True, 1000, True)
    assert all(point.terms == {"dodge": 0.5, "step": point.step} for point in long.curve)
    assert (long.reference_id, long.target_id, long.held_out) == ("copper", "ada", "ir50")
    assert long.progress is not None
    assert long.progress.step == 1000


def test_a_training_that_went_on_from_a_checkpoint_has_one_curve(
    ledger: Ledger, overview: Overview, redis: Redis
) -> None:
    claim = training(ledger)
    learn(ledger, claim, 1, 27, 0.9)
    redis.zadd("diffam:leases", {claim.job_id: 1.0})
    again = ledger.claim(claim.job_id, "there:8")
    assert again is not None
    learn(ledger, again, 21, 30, 0.2)
    (seen,) = overview.read().trainings
    assert [point.step for point in seen.curve] == list(range(1, 31))
    assert {point.terms["dodge"] for point in seen.curve if point.step > 20} == {0.2}


def test_a_sheet_is_there_while_its_style_is_trained_and_a_zombie_draws_none(
    ledger: Ledger, overview: Overview, redis: Redis
) -> None:
    claim = training(ledger)
    short = claim.job_id[:SHORT]
    assert (overview.read().trainings[0].sheet, overview.sheet(short)) == (None, None)
    ledger.keep_sheet(claim, 40, b"as it was")
    redis.zadd("diffam:leases", {claim.job_id: 1.0})
    again = ledger.claim(claim.job_id, "there:8")
    assert again is not None
    ledger.keep_sheet(claim, 80, b"a zombie's")
    (seen,) = overview.read().trainings
    assert seen.sheet is not None
    assert (seen.sheet.step, seen.sheet.url) == (40, f"/v1/admin/trainings/{short}/sheet")
    assert overview.sheet(short) == b"as it was"
    assert 0 < redis.ttl(f"diffam:sheet:{claim.job_id}") <= redis.ttl(f"diffam:job:{claim.job_id}")
    assert {overview.sheet(other) for other in ("", short[:4], claim.job_id, "x" * SHORT)} == {None}
    ledger.cancel(claim.job_id)
    assert overview.read().trainings == []
    assert not redis.exists(f"diffam:sheet:{claim.job_id}")


def test_a_sheet_goes_when_its_job_is_erased(ledger: Ledger, redis: Redis) -> None:
    claim = training(ledger)
    ledger.keep_sheet(claim, 1, b"picture")
    ledger.erase(claim.job_id)
    assert not redis.exists(f"diffam:sheet:{claim.job_id}")


def test_what_is_asked_of_redis_does_not_grow_with_the_jobs_that_wait(
    ledger: Ledger, overview: Overview, redis: Redis
) -> None:
    def reads() -> int:
        before = redis.info("commandstats")["cmdstat_hmget"]["calls"]
        assert len(line_of(overview.read()).first) == MOST_WAITING
        return int(redis.info("commandstats")["cmdstat_hmget"]["calls"]) - int(before)

    for _ in range(MOST_WAITING + 1):
        accepted(ledger)
    few = reads()
    for _ in range(900):
        accepted(ledger)
    assert line_of(overview.read()).waiting > 900
    assert reads() == few
