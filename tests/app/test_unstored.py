"""`store=0`: the result is in the waiting answer, and nowhere else when that was sent."""

import base64
import threading
import time
from collections.abc import Callable, Iterator
from typing import cast

import httpx
import pytest
from redis import Redis

from app.submission import UNSTORED_S
from diffam_client.contract.job import JobError
from jobs.claims import Claim
from jobs.finished import Protected
from jobs.ledger import Ledger
from tests.app.test_problems import problem
from tests.finished import FinishedPhoto, FinishedPicture

Post = Callable[..., httpx.Response]
Work = Callable[[Callable[[Claim], object]], None]
WAIT = {"Prefer": "wait=20"}


@pytest.fixture
def worker(ledger: Ledger, redis: Redis) -> Iterator[Work]:
    """Does something with the claim on the first job that comes."""
    threads = []

    def begin(work: Callable[[Claim], object]) -> None:
        def wait() -> None:
            while not (waiting := cast("list[bytes]", redis.zrange("diffam:queued", 0, -1))):
                time.sleep(0.01)
            claim = ledger.claim(waiting[0].decode())
            assert claim is not None
            work(claim)

        threads.append(threading.Thread(target=wait))
        threads[-1].start()

    yield begin
    for thread in threads:
        thread.join()


def left(redis: Redis) -> list[str]:
    """What is still there of jobs and their pictures."""
    kinds = ("job", "photo", "result", "comparison", "events", "again")
    return [name.decode() for kind in kinds for name in redis.scan_iter(f"diffam:{kind}*:*")]


def test_the_result_is_in_the_answer_and_nowhere_else(
    client: httpx.Client, post: Post, worker: Work, ledger: Ledger, redis: Redis, protected: Protected
) -> None:
    worker(lambda claim: ledger.commit(claim, protected, batch_size=1))
    answer = post(headers=WAIT, store="0")
    job = answer.json()
    assert (answer.status_code, job["status"], job["links"]) == (200, "succeeded", {})
    assert answer.headers["cache-control"] == "no-store"
    assert "location" not in answer.headers
    kind, _, picture = job["output"]["photo"]["url"].partition(",")
    assert (kind, base64.b64decode(picture)) == ("data:image/png;base64", b"protected")
    assert left(redis) == []
    assert problem(client.get(f"/v1/jobs/{job['id']}")).code == "erased_job"


def test_every_picture_to_choose_from_is_in_it(post: Post, worker: Work, ledger: Ledger) -> None:
    several = FinishedPhoto([FinishedPicture(photo=name) for name in (b"first", b"second")])
    worker(lambda claim: ledger.commit(claim, several, batch_size=1))
    output = post(headers=WAIT, store="0", candidates="2").json()["output"]
    urls = [each["photo"]["url"] for each in output["candidates"]]
    assert [base64.b64decode(url.partition(",")[2]) for url in urls] == [b"first", b"second"]
    assert output["photo"]["url"] == urls[0]


def test_a_job_that_takes_too_long_is_erased_and_its_worker_learns_it(
    post: Post, worker: Work, ledger: Ledger, redis: Redis
) -> None:
    claims: list[Claim] = []
    worker(claims.append)
    answer = post(headers={"Prefer": "wait=1"}, store="0")
    assert (answer.status_code, problem(answer).code, problem(answer).retryable) == (504, "not_in_time", True)
    assert left(redis) == []
    assert ledger.heartbeat("w", claims) == set(claims)


def test_a_failure_is_told_and_nothing_is_left_of_it(post: Post, worker: Work, ledger: Ledger, redis: Redis) -> None:
    worker(lambda claim: ledger.fail(claim, JobError(code="out_of_memory", message="no memory", retryable=True)))
    answer = post(headers=WAIT, store="0")
    assert (answer.status_code, answer.json()["error"]["code"]) == (200, "out_of_memory")
    assert left(redis) == []


@pytest.mark.parametrize("prefer", ["", "wait=0", "respond-async"])
def test_nobody_can_ask_for_it_without_waiting(post: Post, prefer: str, redis: Redis) -> None:
    answer = problem(post(headers={"Prefer": prefer}, store="0"))
    assert (answer.code, answer.param) == ("invalid_field", "store")
    assert left(redis) == []


def test_a_repeat_finds_that_it_is_gone(
    post: Post, worker: Work, ledger: Ledger, redis: Redis, protected: Protected
) -> None:
    worker(lambda claim: ledger.commit(claim, protected, batch_size=1))
    headers = WAIT | {"Idempotency-Key": "k"}
    assert post(headers=headers, store="0").status_code == 200
    assert problem(post(headers=headers, store="0")).code == "erased_job"
    assert left(redis) == []


def test_should_the_process_die_the_job_ends_soon_and_its_record_with_it(
    post: Post, worker: Work, ledger: Ledger, redis: Redis, protected: Protected
) -> None:
    seen: list[tuple[float, int]] = []

    def work(claim: Claim) -> None:
        job = ledger.get(claim.job_id)
        assert job.end_by is not None
        ttl_s = int(redis.hget(f"diffam:job:{claim.job_id}", "ttl_s") or 0)
        seen.append(((job.end_by - job.created_at).total_seconds(), ttl_s))
        assert ledger.commit(claim, protected, batch_size=1)

    worker(work)
    post(headers=WAIT, store="0")
    ((end_by_s, ttl_s),) = seen
    assert end_by_s == pytest.approx(20 + UNSTORED_S, abs=0.01)
    assert ttl_s == UNSTORED_S
