"""The jobs that are there, page by page, and what holds for all of them."""

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from redis import Redis

from diffam_client.contract.job import JobError
from jobs.ledger import Ledger
from jobs.reading import listing
from jobs.settings import Settings
from tests.app.test_problems import problem

Post = Callable[..., httpx.Response]
Finish = Callable[[str], None]
NEXT = re.compile(r'<(/v1/jobs\?[^>]+)>; rel="next"')


def pages(client: httpx.Client, path: str) -> list[list[str]]:
    """The ids of every page, as a client goes from one to the next."""
    found = []
    while path:
        answer = client.get(path)
        assert answer.status_code == 200
        found.append([job["id"] for job in answer.json()["jobs"]])
        link = NEXT.fullmatch(answer.headers.get("link", ""))
        path = link[1] if link else ""
    return found


def fail(ledger: Ledger, job_id: str, code: str) -> None:
    """Plays the worker on a photo that cannot be done."""
    claim = ledger.claim(job_id)
    assert claim is not None
    ledger.fail(claim, JobError(code=code, message="", retryable=False))


def test_the_newest_come_first_and_each_once(client: httpx.Client, post: Post) -> None:
    ids = [post().json()["id"] for _ in range(7)][::-1]
    assert pages(client, "/v1/jobs") == [ids]
    assert pages(client, "/v1/jobs?limit=3") == [ids[:3], ids[3:6], ids[6:]]
    newer = post().json()["id"]
    first = client.get("/v1/jobs?limit=3")
    assert [job["id"] for job in first.json()["jobs"]] == [newer, *ids[:2]]


def test_a_job_that_comes_meanwhile_moves_no_page(client: httpx.Client, post: Post) -> None:
    ids = [post().json()["id"] for _ in range(4)][::-1]
    link = NEXT.fullmatch(client.get("/v1/jobs?limit=2").headers["link"])
    assert link is not None
    post()
    assert [job_id for page in pages(client, link[1]) for job_id in page] == ids[2:]


def test_jobs_are_chosen_by_state_kind_and_code(
    client: httpx.Client, post: Post, finish: Finish, ledger: Ledger, jpeg: bytes
) -> None:
    done, faceless, other, waiting = (post().json()["id"] for _ in range(4))
    finish(done)
    fail(ledger, faceless, "no_face_found")
    fail(ledger, other, "photo_unreadable")
    look = client.post("/v1/faces", files={"photo": ("me.jpg", jpeg)}, headers={"Prefer": "wait=0"}).json()["id"]

    def chosen(query: str) -> list[str]:
        return [job["id"] for job in client.get(f"/v1/jobs?{query}").json()["jobs"]]

    assert chosen("status=succeeded") == [done]
    assert chosen("status=failed") == [other, faceless]
    assert chosen("code=no_face_found") == [faceless]
    assert chosen("status=queued") == [look, waiting]
    assert chosen("status=queued&kind=detect") == [look]
    assert chosen("kind=finetune") == []


def test_a_listed_job_is_the_job(client: httpx.Client, post: Post, finish: Finish) -> None:
    job = post().json()
    finish(job["id"])
    assert client.get("/v1/jobs").json()["jobs"] == [client.get(job["links"]["self"]).json()]


def test_what_is_gone_is_not_listed(client: httpx.Client, post: Post, ledger: Ledger, redis: Redis) -> None:
    erased, expired, there = (post().json()["id"] for _ in range(3))
    client.delete(f"/v1/jobs/{erased}")
    redis.delete(f"diffam:job:{expired}")
    assert pages(client, "/v1/jobs") == [[there]]
    redis.zadd("diffam:ends", {f"diffam:job:{expired}": 1})
    redis.delete("diffam:reaper")
    ledger.reap()
    assert redis.zrange("diffam:index", 0, -1) == [there.encode()]


def test_a_rare_job_is_found_without_a_look_at_all_others_at_once(
    client: httpx.Client, post: Post, finish: Finish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "LOOK_AT", 2)
    monkeypatch.setattr(listing, "MOST_LOOKED_AT", 4)
    rare = post().json()["id"]
    finish(rare)
    for _ in range(9):
        post()
    found = pages(client, "/v1/jobs?status=succeeded")
    assert found == [[], [], [rare]]


NONSENSE = [
    "status=done",
    "kind=photo",
    "limit=0",
    "limit=101",
    "cursor=x",
    "cursor=-1",
    "page=2",
    "kind=detect&kind=x",
]


@pytest.mark.parametrize("query", NONSENSE)
def test_a_question_that_makes_no_sense_is_refused(client: httpx.Client, query: str) -> None:
    assert problem(client.get(f"/v1/jobs?{query}")).code == "invalid_field"


def test_nothing_is_listed_where_others_may_come_in(serve: Callable[[Settings], Any], settings: Settings) -> None:
    with serve(settings.model_copy(update={"behind_proxy": True})) as client:
        answer = client.get("/v1/jobs")
        assert (answer.status_code, problem(answer).code) == (403, "listing_closed")


def test_limits_are_those_that_are_kept(
    client: httpx.Client, post: Post, finish: Finish, settings: Settings, redis: Redis
) -> None:
    redis.ping()
    limits = client.get("/v1/limits").json()
    assert limits["seconds_per_photo"] is None
    photo, retention = limits["photo"], limits["retention"]
    assert (photo["max_bytes"], photo["formats"]) == (settings.max_upload_bytes, ["jpeg", "png", "webp"])
    assert limits["job"]["output_formats"] == ["png", "jpeg", "webp", "same"]
    assert problem(post(output_format="avif")).code == "invalid_field"
    assert post(candidates=str(limits["job"]["max_candidates"] + 1)).status_code == 422
    assert post(ttl_s=str(retention["max_ttl_s"])).status_code == 202
    assert post(ttl_s=str(retention["max_ttl_s"] + 1)).status_code == 422
    finish(post().json()["id"])
    assert client.get("/v1/limits").json()["seconds_per_photo"] > 0


def test_health_is_told_to_inference_gateways_too(client: httpx.Client, ledger: Ledger) -> None:
    assert client.get("/v2/health/live").json() == {"live": True}
    cold = client.get("/v2/health/ready")
    assert (cold.status_code, problem(cold).code) == (503, "no_worker")
    ledger.heartbeat("w", [])
    assert client.get("/v2/health/ready", headers={"Host": "10.0.0.7"}).json() == {"ready": True}
