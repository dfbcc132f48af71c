"""What a key may ask for: requests a minute, jobs at once, bytes a day; told in every answer, refused before a body."""

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import httpx
import pytest
from redis import Redis

from diffam_client.contract.job import JobError
from diffam_client.contract.limits import Quota
from jobs.access.keys import create_key
from jobs.ledger import Ledger
from jobs.settings import Settings
from tests.app.serving.test_server import FORM
from tests.app.test_keys import ID, MOST_READ_BYTES, Holder, sent_before_the_answer
from tests.app.test_problems import problem

Serve = Callable[[Settings], AbstractContextManager[httpx.Client]]
LEFT = re.compile(r'"requests";r=(\d+);t=(\d+), "bytes";r=(\d+);t=(\d+)')
DAY_S = 24 * 3600


@pytest.fixture
def holder(settings: Settings, redis: Redis) -> Callable[..., Holder]:
    """Makes somebody with a key of that quota, at the service `client`."""
    redis.ping()

    def make(client: httpx.Client, scopes: Any = ("submit",), **quota: int) -> Holder:
        return Holder(client, *create_key(settings.keys, "somebody", scopes, Quota(**quota)))

    return make


def left(answer: httpx.Response) -> list[int]:
    """Requests, seconds, bytes, seconds, as the header tells them."""
    found = LEFT.fullmatch(answer.headers["ratelimit"])
    assert found is not None
    return [int(number) for number in found.groups()]


def test_every_answer_tells_the_quota_and_what_is_left(
    serve: Serve, settings: Settings, holder: Callable[..., Holder], jpeg: bytes
) -> None:
    with serve(settings) as client:
        who = holder(client, requests_per_minute=9, bytes_per_day=50_000)
        first, missing, sent = who.ask("GET", "/v1/references"), who.ask("GET", f"/v1/jobs/{ID}"), who.send(jpeg)
        assert [answer.status_code for answer in (first, missing, sent)] == [200, 404, 202]
        policy = '"requests";q=9;w=60;qu="requests", "bytes";q=50000;w=86400;qu="content-bytes"'
        assert {answer.headers["ratelimit-policy"] for answer in (first, missing, sent)} == {policy}
        assert [left(answer)[0] for answer in (first, missing, sent)] == [8, 7, 6]
        sent_bytes = int(sent.request.headers["content-length"])
        assert [left(answer)[2] for answer in (first, missing, sent)] == [50_000, 50_000, 50_000 - sent_bytes]
        assert 55 <= left(sent)[1] <= 60
        assert DAY_S - 5 <= left(sent)[3] <= DAY_S
        assert who.ask("GET", "/v1/limits").json()["quota"] == {
            "requests_per_minute": 9, "jobs_at_once": 50, "bytes_per_day": 50_000,
            "requests_left": 5, "jobs_now": 1, "bytes_left": 50_000 - sent_bytes,
        }  # fmt: skip
        assert "ratelimit" not in client.get("/livez").headers


def test_a_request_too_many_in_a_minute_is_told_when_to_come_back(
    serve: Serve, settings: Settings, holder: Callable[..., Holder]
) -> None:
    with serve(settings) as client:
        eager, other = holder(client, requests_per_minute=5), holder(client)
        answers = [eager.ask("GET", "/v1/references") for _ in range(7)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
        document = problem(answers[-1])
        assert (document.code, document.retryable) == ("rate_exceeded", True)
        assert left(answers[-1])[0] == 0
        assert 50 <= int(answers[-1].headers["retry-after"]) == left(answers[-1])[1] <= 60
        assert other.ask("GET", "/v1/references").status_code == 200
        head = b"POST /v1/jobs HTTP/1.1\r\n" + FORM + f"Authorization: Bearer {eager.secret}\r\n".encode()
        status, sent = sent_before_the_answer(client, head)
        assert status == 429
        assert sent < MOST_READ_BYTES


def test_bytes_that_are_no_longer_left_are_refused_before_they_are_read_and_not_counted(
    serve: Serve, settings: Settings, holder: Callable[..., Holder], jpeg: bytes
) -> None:
    with serve(settings) as client:
        who = holder(client, bytes_per_day=3 * len(jpeg))
        assert who.send(jpeg).status_code == who.send(jpeg).status_code == 202
        refused = who.send(jpeg)
        assert problem(refused).code == "bytes_exceeded"
        assert DAY_S - 60 <= int(refused.headers["retry-after"]) <= DAY_S
        remaining = left(refused)[2]
        assert 0 < remaining < len(jpeg) + 1000
        head = b"POST /v1/jobs HTTP/1.1\r\n" + FORM + f"Authorization: Bearer {who.secret}\r\n".encode()
        status, sent = sent_before_the_answer(client, head)
        assert (status, sent < MOST_READ_BYTES) == (429, True)
        assert left(who.ask("GET", "/v1/references"))[2] == remaining


def test_a_body_of_unknown_length_counts_as_the_longest(
    serve: Serve, settings: Settings, holder: Callable[..., Holder]
) -> None:
    with serve(settings) as client:
        who = holder(client)
        headers = {"Content-Type": "multipart/form-data; boundary=x", "Authorization": f"Bearer {who.secret}"}
        answer = client.post("/v1/jobs", content=iter([b"--x--\r\n"]), headers=headers)
        most = who.key.quota.bytes_per_day
        assert left(answer)[2] == most - settings.max_upload_bytes - 64 * 1024


@pytest.mark.parametrize("how", ["finish", "cancel", "erase", "fail"])
def test_as_many_jobs_as_may_wait_or_run_and_then_one_for_each_that_ends(
    serve: Serve, settings: Settings, holder: Callable[..., Holder], jpeg: bytes, ledger: Ledger,
    finish: Callable[[str], None], how: str,
) -> None:  # fmt: skip
    with serve(settings) as client:
        who, other = holder(client, jobs_at_once=2), holder(client, jobs_at_once=2)
        first = who.send(jpeg).json()["id"]
        second = who.send(jpeg, path="/v1/faces", Prefer="wait=0").json()["id"]
        assert ledger.claim(second) is not None
        for answer in (who.send(jpeg), who.send(jpeg, "PUT", f"/v1/jobs/{ID}")):
            assert problem(answer).code == "too_many_jobs"
            assert answer.headers["retry-after"] == "5"
        assert other.send(jpeg).status_code == 202
        assert problem(who.send(jpeg, **{"Idempotency-Key": "new"})).code == "too_many_jobs"
        if how == "finish":
            finish(first)
        elif how == "fail":
            claim = ledger.claim(first)
            assert claim is not None
            ledger.fail(claim, JobError(code="no_face_found", message="", retryable=False))
        else:
            who.ask(*(("POST", f"/v1/jobs/{first}/cancel") if how == "cancel" else ("DELETE", f"/v1/jobs/{first}")))
        assert who.send(jpeg).status_code == 202
        assert problem(who.send(jpeg)).code == "too_many_jobs"


def test_a_retry_counts_as_a_job(
    serve: Serve, settings: Settings, holder: Callable[..., Holder], jpeg: bytes, ledger: Ledger
) -> None:
    with serve(settings) as client:
        who = holder(client, jobs_at_once=1)
        failed = who.send(jpeg).json()["id"]
        claim = ledger.claim(failed)
        assert claim is not None
        ledger.fail(claim, JobError(code="worker_lost", message="", retryable=True))
        running = who.send(jpeg).json()["id"]
        assert problem(who.ask("POST", f"/v1/jobs/{failed}/retry")).code == "too_many_jobs"
        who.ask("DELETE", f"/v1/jobs/{running}")
        again = who.ask("POST", f"/v1/jobs/{failed}/retry")
        assert again.status_code == 202
        assert ledger.owner(again.json()["id"]) == who.key.id


def test_a_repeat_finds_its_job_where_no_other_may_be_made(
    serve: Serve, settings: Settings, holder: Callable[..., Holder], jpeg: bytes
) -> None:
    with serve(settings) as client:
        who = holder(client, jobs_at_once=1)
        first, again = (who.send(jpeg, **{"Idempotency-Key": "holiday"}) for _ in range(2))
        assert first.json()["id"] == again.json()["id"]


def test_forty_at_the_same_moment_make_no_job_too_many(
    serve: Serve, settings: Settings, holder: Callable[..., Holder], jpeg: bytes
) -> None:
    with serve(settings) as client, ThreadPoolExecutor(20) as pool:
        who = holder(client, jobs_at_once=7)
        codes = sorted(answer.status_code for answer in pool.map(lambda _: who.send(jpeg), range(40)))
        assert codes == [202] * 7 + [429] * 33


def test_what_is_counted_is_forgotten_when_its_window_ends(
    serve: Serve, settings: Settings, holder: Callable[..., Holder], redis: Redis
) -> None:
    with serve(settings) as client:
        who = holder(client, requests_per_minute=1)
        assert [who.ask("GET", "/v1/references").status_code for _ in range(2)] == [200, 429]
        (window,) = redis.scan_iter("diffam:limits*")
        assert 50 < redis.ttl(window) <= 60
        redis.pexpire(window, 100)
        time.sleep(0.2)
        assert who.ask("GET", "/v1/references").status_code == 200
