"""The changes of a job as they happen: each once, however often the connection breaks."""

import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple, cast

import anyio
import httpx
import psutil
import pytest
from redis import Redis

from app.routes import events
from app.serving.changes import ROUND_S, Changes
from diffam_client.contract.job import BundleName, DetectInput, Job, JobError
from diffam_client.contract.report import Progress
from jobs.finished import Protected
from jobs.ledger import Ledger
from jobs.new_job import NewJob
from jobs.settings import Settings
from tests.app.conftest import web_process
from tests.app.test_problems import problem

Post = Callable[..., httpx.Response]
Finish = Callable[[str], None]
SSE = {"Accept": "text/event-stream"}
SEED, KILLS, STEPS = 7, 50, 400
STREAMS, IDLE_S = 150, 2.0
DETECTED, BUNDLE = DetectInput(width=64, height=64, bytes=3), BundleName(name="small", grade="demonstration")


class Sent(NamedTuple):
    """One event of a stream."""

    id: str
    event: str
    data: Any


def read(lines: Iterator[str]) -> Iterator[Sent]:
    """The events of a stream, as a browser reads them: what ends before its empty line is none."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        else:
            if "data" in fields:
                yield Sent(fields.get("id", ""), fields["event"], json.loads(fields["data"]))
            fields = {}


@contextmanager
def stream(client: httpx.Client, path: str, after: str = "") -> Iterator[Iterator[Sent]]:
    """The events of a job, from its address or from `/events`."""
    with client.stream("GET", path, headers=SSE | {"Last-Event-ID": after}) as answer:
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        yield read(answer.iter_lines())


def history(ledger: Ledger, job_id: str) -> list[tuple[str, Any]]:
    """What the ledger says happened."""
    return [(str(each.revision), each.model_dump(mode="json")) for each in ledger.events(job_id)]


@pytest.mark.parametrize("suffix", ["", "/events"])
def test_a_job_is_told_until_it_ends(
    client: httpx.Client, post: Post, finish: Finish, ledger: Ledger, suffix: str
) -> None:
    job = post().json()
    with stream(client, job["links"]["self"] + suffix) as told:
        first = next(told)
        assert (first.id, first.event, first.data["status"]) == ("1", "status", "queued")
        finish(job["id"])
        rest = list(told)  # it ends by itself
    assert [each.data["status"] for each in rest] == ["running", "succeeded"]
    assert [(each.id, each.data) for each in (first, *rest)] == history(ledger, job["id"])
    assert job["links"]["events"] == f"{job['links']['self']}/events"


def work(ledger: Ledger, job_id: str, protected: Protected, chance: random.Random) -> None:
    """Plays a worker that notes many steps, some of them in bursts."""
    claim = ledger.claim(job_id)
    assert claim is not None
    for number in range(STEPS):
        assert ledger.progress(claim, Progress(stage="invert", step=number, steps=STEPS))
        if chance.random() < 0.5:
            time.sleep(chance.uniform(0, 0.02))
    assert ledger.commit(claim, protected, batch_size=1)


def test_killed_and_resumed_again_and_again_each_event_comes_once(
    client: httpx.Client, post: Post, ledger: Ledger, protected: Protected
) -> None:
    job_id, chance = post().json()["id"], random.Random(SEED)
    worker = threading.Thread(target=work, args=(ledger, job_id, protected, random.Random(SEED)))
    worker.start()
    seen: list[Sent] = []
    for kill in range(KILLS):
        patience = chance.randint(0, 12)  # events, and then the connection is cut in the middle of whatever comes
        with stream(client, f"/v1/jobs/{job_id}", seen[-1].id if seen else "") as told:
            for _ in range(patience):
                seen.append(next(told))
                if seen[-1].data["status"] == "succeeded":
                    break
        assert seen[-1:] == [] or seen[-1].data["status"] != "succeeded", f"the job ended before kill {kill + 1}"
    with stream(client, f"/v1/jobs/{job_id}", seen[-1].id) as told:
        seen += told
    worker.join()
    assert [(each.id, each.data) for each in seen] == history(ledger, job_id)
    assert len(seen) == STEPS + 3


def test_whoever_read_the_end_is_told_not_to_come_back(client: httpx.Client, post: Post, finish: Finish) -> None:
    job = post().json()
    finish(job["id"])
    here = job["links"]["events"]
    assert client.get(here, headers=SSE | {"Last-Event-ID": "3"}).status_code == 204
    with stream(client, here, "2") as told:
        assert [each.id for each in told] == ["3"]
    assert problem(client.get(here, headers=SSE | {"Last-Event-ID": "x"})).param == "last-event-id"


def test_an_erasure_ends_the_stream_and_the_address_is_gone(client: httpx.Client, post: Post) -> None:
    job = post().json()
    here = job["links"]["self"]
    with stream(client, here) as told:
        next(told)
        assert client.delete(here).status_code == 204
        (last,) = told
    assert (last.id, last.event) == ("", "erased")
    assert (last.data["code"], last.data["status"]) == ("erased_job", 410)
    for path in (here, job["links"]["events"]):
        assert problem(client.get(path, headers=SSE)).code == "erased_job"
    assert problem(client.get("/v1/jobs/nobody/events", headers=SSE)).code == "unknown_job"


def test_silence_is_broken_by_comments(client: httpx.Client, post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.3)
    with client.stream("GET", post().json()["links"]["events"]) as answer:
        lines = answer.iter_lines()
        comments = 0
        while comments < 3:
            comments += next(lines).startswith(":")


def test_a_stream_does_not_keep_the_server_from_stopping(
    serve: Callable[[Settings], Any], settings: Settings, redis: Redis, jpeg: bytes
) -> None:
    redis.ping()
    with serve(settings) as client:
        sent = client.post("/v1/jobs", files={"photo": ("me.jpg", jpeg)}, data={"reference_id": "rose"}).json()
        own = httpx.Client(base_url=client.base_url, timeout=60)
        answer = own.send(own.build_request("GET", sent["links"]["events"]), stream=True)
        lines = answer.iter_lines()
        next(lines)
        stopping = time.monotonic()
    assert time.monotonic() - stopping < 2
    assert "data" in "".join(lines)  # what was under way came, and then its proper end
    own.close()


def test_many_who_wait_cost_the_web_process_next_to_nothing(settings: Settings, ledger: Ledger) -> None:
    job_ids = [ledger.accept(NewJob(DETECTED, BUNDLE), b"png").job_id for _ in range(3)]
    with web_process(settings) as web, ExitStack() as opened:
        streams = [opened.enter_context(web.connect()) for _ in range(STREAMS)]
        for number, raw in enumerate(streams):
            raw.sendall(f"GET /v1/jobs/{job_ids[number % 3]}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        for raw in streams:
            assert b'"status":"queued"' in until(raw, b'"status":"queued"')
        cpu = psutil.Process(web.process.pid).cpu_times()
        time.sleep(IDLE_S)
        now = psutil.Process(web.process.pid).cpu_times()
        assert now.user + now.system - cpu.user - cpu.system < 0.3 * IDLE_S
        for job_id in job_ids:
            assert ledger.cancel(job_id)
        for raw in streams:
            assert b'"status":"canceled"' in until(raw, b'"status":"canceled"')


def test_a_job_that_runs_wakes_who_waits_five_times_a_second_at_most(
    client: httpx.Client, ledger: Ledger, redis: Redis
) -> None:
    job_id = ledger.accept(NewJob(DETECTED, BUNDLE), b"png").job_id
    claim = ledger.claim(job_id)
    assert claim is not None
    with stream(client, f"/v1/jobs/{job_id}/events") as told:
        next(told)
        before, began = reads(redis), time.monotonic()
        for step in range(100):
            assert ledger.progress(claim, Progress(stage="detect", step=step, steps=100))
            time.sleep(0.01)
        seconds = time.monotonic() - began
        assert 2 <= reads(redis) - before <= 2 + 2 * seconds / ROUND_S
        assert ledger.cancel(job_id)
        seen = [each.id for each in told]
    assert seen == [str(number) for number in range(2, 104)]


def reads(redis: Redis) -> int:
    """How often the server was asked to wait for changes."""
    told: Any = redis.info("commandstats")
    return int(told["cmdstat_xread"]["calls"])


def test_a_stream_that_read_more_than_the_store_remembers_ends_with_its_job(client: httpx.Client, post: Post) -> None:
    here = post().json()["links"]["self"]
    with stream(client, here, "999") as told:
        assert client.post(f"{here}/cancel").is_success
        assert [each.data["status"] for each in told] == ["canceled"]


class Broken:
    """A ledger with a mistake in it."""

    def changed(self, _revisions: Mapping[str, int], _patience_s: float) -> frozenset[str]:
        raise RuntimeError("a mistake of ours")


@pytest.mark.anyio
async def test_a_mistake_of_ours_leaves_nobody_waiting() -> None:
    changes = Changes(cast("Ledger", Broken()))
    for _ in range(2):
        with anyio.fail_after(5):
            await changes.after("a job", 1)


def until(raw: socket.socket, word: bytes) -> bytes:
    """What comes, up to that word at least."""
    seen = b""
    while word not in seen and (piece := raw.recv(65536)):
        seen += piece
    return seen


def test_links_name_what_can_be_done_now_and_only_that(
    client: httpx.Client, post: Post, finish: Finish, ledger: Ledger
) -> None:
    asked = {
        "self": "GET", "events": "GET", "result": "GET", "comparison": "GET", "cancel": "POST", "retry": "POST",
        "erase": "DELETE",
    }  # fmt: skip

    def links(job_id: str) -> set[str]:
        told: dict[str, str] = client.get(f"/v1/jobs/{job_id}").json()["links"]
        return set(told)

    def works(job_id: str, name: str) -> bool:
        """Whether it can be done; tried on the job itself."""
        path = f"/v1/jobs/{job_id}" + ("" if name in ("self", "erase") else f"/{name}")
        if name == "events":
            with client.stream("GET", path) as answer:
                return answer.is_success
        return client.request(asked[name], path).is_success

    expected = {
        "queued": {"self", "events", "cancel", "erase"},
        "running": {"self", "events", "cancel", "erase"},
        "succeeded": {"self", "events", "result", "comparison", "erase"},
        "canceled": {"self", "events", "erase"},
        "failed": {"self", "events", "retry", "erase"},
    }
    for status, named in expected.items():
        for name in asked:  # a fresh job each, for some of them end it
            job_id = post().json()["id"]
            if status == "running":
                ledger.claim(job_id)
            elif status == "succeeded":
                finish(job_id)
            elif status == "canceled":
                ledger.cancel(job_id)
            elif status == "failed":
                claim = ledger.claim(job_id)
                assert claim is not None
                ledger.fail(claim, JobError(code="out_of_memory", message="no memory", retryable=True))
            assert links(job_id) == named
            assert works(job_id, name) == (name in named), (status, name)


def test_a_job_says_when_it_is_likely_over(post: Post, finish: Finish) -> None:
    finish(post().json()["id"])
    queues = [Job.model_validate(post().json()).queue for _ in range(3)]
    assert [queue and queue.position for queue in queues] == [1, 2, 3]
    assert all(queue and queue.eta_s is not None for queue in queues)
