"""A job's own deadlines and life over HTTP, and trying again."""

import time
from collections.abc import Callable

import httpx
import pytest
from redis import Redis

from diffam_client.contract.job import JobError
from jobs.ledger import Ledger
from tests.app.test_problems import problem

Post = Callable[..., httpx.Response]
PASSING = JobError(code="out_of_memory", message="no memory", retryable=True)


def until_over(client: httpx.Client, job_id: str) -> dict[str, object]:
    """The job once it is over."""
    answer: dict[str, object] = client.get(f"/v1/jobs/{job_id}", headers={"Prefer": "wait=10"}).json()
    return answer


def test_a_header_cancels_a_job_that_runs_too_long(client: httpx.Client, post: Post, ledger: Ledger) -> None:
    job = post(headers={"Cancel-After": "1s"}).json()
    claim = ledger.claim(job["id"])
    assert claim is not None
    started = time.monotonic()
    over = until_over(client, job["id"])
    assert 0.5 < time.monotonic() - started < 2.5
    assert (over["status"], over["canceled_by"], over["had_started"]) == ("canceled", "deadline", True)
    assert ledger.heartbeat("w", [claim]) == {claim}


def test_a_field_cancels_a_job_that_nobody_begins_and_no_worker_is_needed_for_that(
    client: httpx.Client, post: Post
) -> None:
    over = until_over(client, post(expires_in_s="1").json()["id"])
    assert (over["status"], over["canceled_by"], over["had_started"]) == ("canceled", "deadline", False)


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 30), ("45s", 45), ("1m30s", 90), ("2h", 7200), ("5m", 300), ("1h1m1s", 3661)]
)
def test_times_are_written_as_people_write_them(post: Post, ledger: Ledger, text: str, seconds: int) -> None:
    job = ledger.get(post(headers={"Cancel-After": text}).json()["id"])
    assert job.end_by is not None
    assert (job.end_by - job.created_at).total_seconds() == pytest.approx(seconds, abs=0.01)


@pytest.mark.parametrize("text", ["", "0", "soon", "-5s", "1.5s", "30s1m", "25h", "99999999"])
def test_what_is_no_time_or_too_long_a_one_is_refused(post: Post, text: str) -> None:
    answer = problem(post(headers={"Cancel-After": text}))
    assert (answer.code, answer.param) == ("invalid_field", "cancel-after")


@pytest.mark.parametrize(
    ("field", "text"),
    [("ttl_s", "9"), ("ttl_s", "86401"), ("ttl_s", "x"), ("expires_in_s", "0"), ("expires_in_s", "90000")],
)
def test_a_life_or_deadline_outside_its_bounds_is_refused(post: Post, field: str, text: str) -> None:
    answer = problem(post(**{field: text}))
    assert (answer.code, answer.param) == ("invalid_field", field)


def test_a_life_of_its_own_is_told_when_the_job_is_over(
    client: httpx.Client, post: Post, finish: Callable[[str], None]
) -> None:
    job = post(ttl_s="86400").json()
    finish(job["id"])
    over = client.get(job["links"]["self"]).json()
    assert over["finished_at"][:10] < over["expires_at"][:10]
    assert "ttl_s" not in over["input"]


def test_a_retry_is_offered_where_it_helps_and_is_a_new_job(
    client: httpx.Client, post: Post, ledger: Ledger, redis: Redis, finish: Callable[[str], None]
) -> None:
    old = post().json()
    claim = ledger.claim(old["id"])
    assert claim is not None
    ledger.fail(claim, PASSING)
    offered = client.get(old["links"]["self"]).json()["links"]["retry"]
    rung = redis.llen("protect")
    first, second = client.post(offered), client.post(offered)
    assert (first.status_code, first.headers["location"]) == (202, f"/v1/jobs/{first.json()['id']}")
    assert first.json()["id"] != old["id"]
    assert second.headers["location"] == first.headers["location"]
    assert second.headers["idempotent-replayed"] == "true"
    assert redis.llen("protect") == rung + 1
    assert "retry" not in client.get(old["links"]["self"]).json()["links"]
    finish(first.json()["id"])
    assert client.post(offered).json()["status"] == "succeeded"


def test_a_retry_of_what_is_not_over_or_not_there_is_refused(client: httpx.Client, post: Post) -> None:
    job = post().json()
    assert problem(client.post(f"{job['links']['self']}/retry")).code == "job_not_retryable"
    client.post(job["links"]["cancel"])
    assert problem(client.post(f"{job['links']['self']}/retry")).code == "job_not_retryable"
    client.delete(job["links"]["self"])
    assert problem(client.post(f"{job['links']['self']}/retry")).code == "erased_job"
    assert problem(client.post("/v1/jobs/nobody/retry")).code == "unknown_job"


def test_a_user_who_cancels_is_told_so(client: httpx.Client, post: Post) -> None:
    canceled = client.post(post().json()["links"]["cancel"]).json()
    assert (canceled["status"], canceled["canceled_by"], canceled["had_started"]) == ("canceled", "user", False)
