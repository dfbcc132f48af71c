"""The operator's view: who may see it, what it tells, and what it never does."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import httpx
import pytest
from redis import Redis

from diffam_client.contract.admin import Operations
from diffam_client.contract.job import JobError, Output
from diffam_client.contract.limits import Quota
from jobs.access.keys import create_key, revoke_key
from jobs.ledger import Ledger
from jobs.settings import Settings
from tests.app.test_keys import Holder
from tests.app.test_problems import problem
from tests.jobs.test_overview import training

Serve = Callable[[Settings], AbstractContextManager[httpx.Client]]
Post = Callable[..., httpx.Response]


def seen_by(answer: httpx.Response) -> Operations:
    """What is told, of the shape that is promised."""
    return Operations.model_validate_json(answer.raise_for_status().text)


def fail(ledger: Ledger, job_id: str, code: str, *, retryable: bool = False) -> None:
    claim = ledger.claim(job_id, "here:1")
    assert claim is not None
    ledger.fail(claim, JobError(code=code, message="", retryable=retryable))


@pytest.fixture
def closed(serve: Serve, settings: Settings, redis: Redis) -> Any:
    """A service that asks for keys, its operator, and somebody who may send photos."""
    redis.ping()
    quota = Quota(requests_per_minute=9, jobs_at_once=3, bytes_per_day=5_000_000)
    made = [create_key(settings.keys, "operator", ["admin"]), create_key(settings.keys, "choir", ["submit"], quota)]
    with serve(settings) as client:
        yield [Holder(client, key, secret) for key, secret in made]


def test_where_nobody_needs_a_key_the_operator_needs_none(client: httpx.Client, post: Post, ledger: Ledger) -> None:
    waiting, faceless = post().json()["id"], post().json()["id"]
    fail(ledger, faceless, "no_face_found")
    seen = seen_by(client.get("/v1/admin"))
    assert {line.kind: line.waiting for line in seen.lines} == {"protect": 1, "finetune": 0, "detect": 0}
    assert seen.lines[0].first[0].id == waiting[:8]
    (failure,) = seen.failures
    assert (failure.code, failure.status, failure.count, failure.retryable) == ("no_face_found", "failed", 1, False)
    assert failure.explanation == client.get("/problems/no_face_found").json()["explanation"]
    assert failure.last_at == seen.hours[-1].at
    assert (seen.keys, seen.bundle.name, seen.max_queued) == (None, "small", 1000)


def test_a_code_of_another_version_is_counted_all_the_same(client: httpx.Client, post: Post, ledger: Ledger) -> None:
    for code in ("from_the_future", "worker_lost", "from_the_future"):
        fail(ledger, post().json()["id"], code, retryable=code == "worker_lost")
    told = [(each.code, each.count, each.retryable) for each in seen_by(client.get("/v1/admin")).failures]
    assert told == [("from_the_future", 2, False), ("worker_lost", 1, True)]


def test_behind_a_proxy_nobody_sees_it_without_a_key(serve: Serve, settings: Settings, redis: Redis) -> None:
    redis.ping()
    with serve(settings.model_copy(update={"behind_proxy": True})) as client:
        for path in ("/v1/admin", "/v1/admin/trainings/8a1f0b6e/sheet"):
            assert problem(client.get(path)).code == "listing_closed"
        operator = Holder(client, *create_key(settings.keys, "operator", ["admin"]))
        assert seen_by(operator.ask("GET", "/v1/admin")).keys_in_all == 1


def test_only_the_scope_admin_sees_it_and_whatever_comes_below_it(closed: list[Holder], settings: Settings) -> None:
    operator, choir = closed
    looks = Holder(operator.client, *create_key(settings.keys, "looks", ["references", "submit"]))
    for path in ("/v1/admin", "/v1/admin/anything"):
        for method in ("GET", "HEAD"):
            assert {who.ask(method, path).status_code for who in (choir, looks)} == {403}
        assert problem(choir.ask("GET", path)).code == "scope_missing"
        assert problem(operator.client.get(path)).code == "key_missing"
    assert operator.ask("GET", "/v1/admin").status_code == 200
    revoke_key(settings.keys, operator.key.id)
    assert problem(operator.ask("GET", "/v1/admin")).code == "key_refused"


def test_how_a_style_in_training_looks_is_for_the_operator_alone(closed: list[Holder], ledger: Ledger) -> None:
    operator, choir = closed
    claim = training(ledger)
    ledger.keep_sheet(claim, 40, b"a picture")
    (seen,) = seen_by(operator.ask("GET", "/v1/admin")).trainings
    assert seen.sheet is not None
    sheet = operator.ask("GET", seen.sheet.url)
    assert (sheet.content, sheet.headers["content-type"]) == (b"a picture", "image/jpeg")
    assert sheet.headers["cache-control"] == "no-store"
    assert problem(choir.ask("GET", seen.sheet.url)).code == "scope_missing"
    assert problem(operator.client.get(seen.sheet.url)).code == "key_missing"
    ledger.finish(claim, Output(reference_id="copper", target_id="ada"))
    assert problem(operator.ask("GET", seen.sheet.url)).code == "not_found"


def test_keys_are_told_with_their_use_and_without_their_secrets(closed: list[Holder], jpeg: bytes) -> None:
    operator, choir = closed
    for _ in range(2):
        assert choir.send(jpeg).status_code == 202
    answer = operator.ask("GET", "/v1/admin")
    seen = seen_by(answer)
    assert seen.keys is not None
    assert [key.name for key in seen.keys] == ["choir", "operator"]  # the newest first
    theirs = seen.keys[0]
    assert (theirs.id, theirs.scopes, theirs.quota) == (choir.key.id, ["submit"], choir.key.quota)
    assert (theirs.requests_now, theirs.jobs_now) == (2, 2)
    assert 2 * len(jpeg) <= theirs.bytes_now < 2 * len(jpeg) + 2000
    assert {job.owner for job in seen.lines[0].first} == {choir.key.id}
    limits = choir.ask("GET", "/v1/limits").json()["quota"]
    assert limits["bytes_left"] == theirs.quota.bytes_per_day - theirs.bytes_now
    for secret in (operator.secret, choir.secret, operator.key.digest, choir.key.digest):
        assert secret not in answer.text


def test_nothing_that_a_client_wrote_is_told_and_of_an_id_too_little_to_use(
    closed: list[Holder], jpeg: bytes, ledger: Ledger
) -> None:
    operator, choir = closed
    form: dict[str, Any] = {
        "files": {"photo": ("anna-and-bert.jpg", jpeg)},
        "data": {"reference_id": "rose", "client_ref": "wedding/0042"},
    }
    chosen = "weddings-of-anna-and-bert-2026"
    made = choir.ask("PUT", f"/v1/jobs/{chosen}", **form).json()
    assert made["client_ref"] == "wedding/0042"
    told = operator.ask("GET", "/v1/admin").text
    assert ledger.claim(chosen, "here:1")
    told += operator.ask("GET", "/v1/admin").text
    for word in ("anna", "bert", "0042", chosen):
        assert word not in told
    assert told.count(f'"{chosen[:8]}"') == 2
    for path in (f"/v1/jobs/{chosen}", f"/v1/jobs/{chosen[:8]}"):
        assert problem(operator.ask("GET", path)).code == "unknown_job"


def test_a_key_that_was_revoked_is_gone_and_its_jobs_still_tell_whose_they_were(
    closed: list[Holder], settings: Settings, jpeg: bytes
) -> None:
    operator, choir = closed
    choir.send(jpeg)
    revoke_key(settings.keys, choir.key.id)
    seen = seen_by(operator.ask("GET", "/v1/admin"))
    assert [key.id for key in seen.keys or ()] == [operator.key.id]
    assert seen.lines[0].first[0].owner == choir.key.id
