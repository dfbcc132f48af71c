"""The same request, sent again: one job, whoever died in between and however many send it at once."""

import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from threading import Barrier
from typing import Any
from uuid import uuid4

import httpx
import pytest
from PIL import Image
from redis import Redis

from jobs.ledger import READING_S, Ledger
from jobs.settings import Settings
from tests.app.conftest import WebProcess, web_process
from tests.app.test_problems import problem

Send = Callable[..., httpx.Response]
AT_ONCE = 200
"""Rounds in which two clients send the same at the same moment."""


def form(photo: bytes, **fields: str) -> dict[str, Any]:
    """What httpx needs to send a photo."""
    return {"files": {"photo": ("me.jpg", photo)}, "data": {"reference_id": "rose"} | fields}


def jobs_of(redis: Redis) -> set[str]:
    """The ids of all jobs that are written down."""
    return {name.decode().removeprefix("diffam:job:") for name in redis.scan_iter("diffam:job:*")}


@pytest.fixture
def send(client: httpx.Client, jpeg: bytes) -> dict[str, Send]:
    """Sends a photo under a name that makes it one request: by an idempotency key, or as the id of its job."""

    def by_key(name: str, photo: bytes = jpeg, **fields: str) -> httpx.Response:
        return client.post("/v1/jobs", headers={"Idempotency-Key": name}, **form(photo, **fields))

    def by_id(name: str, photo: bytes = jpeg, **fields: str) -> httpx.Response:
        return client.put(f"/v1/jobs/{name}", **form(photo, **fields))

    return {"key": by_key, "id": by_id}


@pytest.fixture
def other_jpeg() -> bytes:
    """Another photo."""
    photo = BytesIO()
    Image.new("RGB", (96, 80), "teal").save(photo, "JPEG")
    return photo.getvalue()


@pytest.mark.parametrize("by", ["key", "id"])
def test_a_repeat_is_answered_with_the_job_as_it_stands_now(
    send: dict[str, Send], by: str, finish: Callable[[str], None], redis: Redis
) -> None:
    name = str(uuid4())
    first = send[by](name)
    assert first.status_code == 202
    assert "idempotent-replayed" not in first.headers
    waiting = send[by](name)
    assert (waiting.status_code, waiting.json()["status"]) == (202, "queued")
    finish(first.json()["id"])
    done = send[by](name)
    assert (done.status_code, done.json()["status"]) == (200, "succeeded")
    for repeat in (waiting, done):
        assert repeat.headers["idempotent-replayed"] == "true"
        assert repeat.headers["location"] == first.headers["location"]
    assert jobs_of(redis) == {first.json()["id"]}
    assert redis.llen("protect") == 1
    assert by == "key" or first.json()["id"] == name


@pytest.mark.parametrize("by", ["key", "id"])
def test_a_repeat_leaves_the_photo_of_a_waiting_job_alone(
    send: dict[str, Send], by: str, other_jpeg: bytes, ledger: Ledger, redis: Redis
) -> None:
    name = secrets.token_hex(16)
    job_id = send[by](name).json()["id"]
    photo, life_s = ledger.blob("photo", job_id), redis.ttl(f"diffam:photo:{job_id}")
    send[by](name)
    send[by](name, photo=other_jpeg)
    assert photo is not None
    assert ledger.blob("photo", job_id) == photo
    assert redis.ttl(f"diffam:photo:{job_id}") > life_s - 10
    assert len(list(redis.scan_iter("diffam:photo:*"))) == 1


@pytest.mark.parametrize(("by", "status", "code"), [("key", 422, "idempotency_key_reused"), ("id", 409, "job_exists")])
def test_another_payload_under_the_same_name_is_refused(
    send: dict[str, Send], by: str, status: int, code: str, other_jpeg: bytes, redis: Redis
) -> None:
    name = secrets.token_hex(16)
    send[by](name)
    for answer in (send[by](name, photo=other_jpeg), send[by](name, strength="0.5")):
        assert (answer.status_code, problem(answer).code, problem(answer).retryable) == (status, code, False)
    assert send[by](name, strength="1.0").is_success  # the default, spelled out
    assert len(jobs_of(redis)) == 1


def test_a_wrong_request_can_be_mended_under_the_same_name(send: dict[str, Send]) -> None:
    for by in ("key", "id"):
        name = secrets.token_hex(16)
        assert problem(send[by](name, strength="2")).code == "invalid_field"
        assert problem(send[by](name, photo=b"no photo")).code == "photo_format_unsupported"
        assert "idempotent-replayed" not in send[by](name).headers


@pytest.mark.parametrize("by", ["key", "id"])
def test_the_name_of_an_erased_job_makes_no_second_one(
    send: dict[str, Send], by: str, client: httpx.Client, redis: Redis
) -> None:
    name = secrets.token_hex(16)
    here = send[by](name).headers["location"]
    assert client.delete(here).status_code == 204
    assert problem(send[by](name)).code == "erased_job"
    redis.delete(f"diffam:gone:{here.removeprefix('/v1/jobs/')}")  # the trace of a job ends before that of a request
    assert problem(send[by](name)).code == "erased_job"
    assert jobs_of(redis) == set()


def test_a_job_that_somebody_else_made_is_not_found_by_putting_its_id(send: dict[str, Send], redis: Redis) -> None:
    theirs = send["key"]("theirs").json()["id"]
    answer = send["id"](theirs)
    assert (answer.status_code, problem(answer).code) == (409, "job_exists")
    assert "idempotent-replayed" not in answer.headers
    assert jobs_of(redis) == {theirs}


GUESSABLE = ["7", "a" * 32, "01234567" * 2, "..%2F..%2Fdiffam", "a:b" * 12, "é" * 30, "x" * 3000]


@pytest.mark.parametrize("job_id", GUESSABLE)
def test_an_id_that_could_be_guessed_or_is_none_is_refused(send: dict[str, Send], job_id: str, redis: Redis) -> None:
    answer = send["id"](job_id)
    assert answer.status_code in (404, 405, 422)
    assert answer.status_code != 422 or (problem(answer).code, problem(answer).param) == ("invalid_field", "job_id")
    assert jobs_of(redis) == set()


def test_ids_as_libraries_draw_them_are_taken(send: dict[str, Send]) -> None:
    for name in (str(uuid4()), uuid4().hex, secrets.token_urlsafe(16), secrets.token_hex(32)):
        assert send["id"](name).json()["id"] == name


@pytest.mark.parametrize("key", ["x" * 256, "a\tb"])
def test_a_key_that_is_too_long_or_no_text_is_refused(send: dict[str, Send], key: str) -> None:
    answer = send["key"](key)
    assert (problem(answer).code, problem(answer).param) == ("invalid_field", "idempotency-key")


def test_every_call_that_makes_a_job_knows_its_repeat(client: httpx.Client, jpeg: bytes, redis: Redis) -> None:
    order = {"target_id": "ada", "held_out": "ir50"}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("/v1/faces", {"files": {"photo": ("me.jpg", jpeg)}, "headers": {"Prefer": "wait=0"}}),
        ("/v1/references", {"files": {"picture": ("me.jpg", jpeg)}, "data": {"reference_id": "dusk"}}),
        ("/v1/references/plum/finetune", {"json": order}),
    ]
    for path, content in calls:
        headers = content.pop("headers", {}) | {"Idempotency-Key": path}
        first, second = (client.post(path, headers=headers, **content) for _ in "ab")
        assert first.status_code == second.status_code == 202
        assert first.json()["id"] == second.json()["id"]
        assert second.headers["idempotent-replayed"] == "true"
        elsewhere = client.post("/v1/jobs", headers=headers, **form(jpeg))
        assert problem(elsewhere).code == "idempotency_key_reused"
    assert len(jobs_of(redis)) == len(calls)


def test_two_clients_that_send_the_same_at_the_same_moment_make_one_job(
    client: httpx.Client, serve: Callable[[Settings], Any], settings: Settings, redis: Redis, jpeg: bytes
) -> None:
    barrier = Barrier(2)
    busy = []

    def insist(web: httpx.Client, by: str, name: str) -> str:
        barrier.wait()
        for _ in range(100):
            if by == "key":
                answer = web.post("/v1/jobs", headers={"Idempotency-Key": name}, **form(jpeg))
            else:
                answer = web.put(f"/v1/jobs/{name}", **form(jpeg))
            if answer.is_success:
                return str(answer.json()["id"])
            assert problem(answer).code == "request_in_progress"
            assert answer.headers["retry-after"] == "1"
            busy.append(name)
            time.sleep(0.01)
        raise AssertionError("it was never read")

    with serve(settings) as other, ThreadPoolExecutor(2) as pool:
        for number in range(AT_ONCE):
            by, name = ("key", "id")[number % 2], secrets.token_hex(16)
            made = set(pool.map(lambda web, by=by, name=name: insist(web, by, name), (client, other)))
            assert len(made) == 1
            assert len(jobs_of(redis)) == number + 1
    assert busy  # some came while the other was being read


@pytest.fixture
def processes(settings: Settings, redis: Redis) -> Iterator[Callable[[], WebProcess]]:
    """Starts a web process each time it is called."""
    redis.ping()
    started = []

    def start() -> WebProcess:
        context = web_process(settings)
        started.append(context)
        return context.__enter__()

    yield start
    for context in started:
        context.__exit__(None, None, None)


def head(key: str, length: int) -> bytes:
    """The head of a request that sends a form of so many bytes."""
    lines = ("POST /v1/jobs HTTP/1.1", "Host: localhost", f"Idempotency-Key: {key}", f"Content-Length: {length}")
    return "\r\n".join((*lines, "Content-Type: multipart/form-data; boundary=b", "Prefer: wait=20", "", "")).encode()


def body(photo: bytes) -> bytes:
    """The form of a photo in the look `rose`."""
    field = b'--b\r\nContent-Disposition: form-data; name="reference_id"\r\n\r\nrose\r\n'
    file = b'--b\r\nContent-Disposition: form-data; name="photo"; filename="me.jpg"\r\n\r\n' + photo + b"\r\n"
    return field + file + b"--b--\r\n"


def test_a_process_that_dies_between_the_record_and_the_answer_has_made_the_job(
    processes: Callable[[], WebProcess], redis: Redis, jpeg: bytes
) -> None:
    first = processes()
    with first.connect() as raw:
        raw.sendall(head("k", len(body(jpeg))) + body(jpeg))
        while not jobs_of(redis):
            time.sleep(0.005)
        first.process.kill()
        assert raw.recv(100) == b""
    second = processes()
    again = httpx.post(f"http://127.0.0.1:{second.port}/v1/jobs", headers={"Idempotency-Key": "k"}, **form(jpeg))
    assert (again.status_code, again.headers["idempotent-replayed"]) == (202, "true")
    assert jobs_of(redis) == {again.json()["id"]}


def test_a_process_that_dies_over_half_a_request_keeps_it_from_nobody_for_long(
    processes: Callable[[], WebProcess], redis: Redis, jpeg: bytes
) -> None:
    first, second = processes(), processes()
    url, headers = f"http://127.0.0.1:{second.port}/v1/jobs", {"Idempotency-Key": "k"}
    with first.connect() as raw:
        raw.sendall(head("k", len(body(jpeg))) + body(jpeg)[:-20])
        time.sleep(READING_S + 1.5)  # longer than a reservation lasts that nobody renews
        busy = httpx.post(url, headers=headers, **form(jpeg))
        assert (busy.status_code, problem(busy).code) == (409, "request_in_progress")
        first.process.kill()
        killed = time.monotonic()
        while (answer := httpx.post(url, headers=headers, **form(jpeg))).status_code == 409:
            time.sleep(0.1)
        assert answer.status_code == 202
        assert time.monotonic() - killed < READING_S + 2
    assert jobs_of(redis) == {answer.json()["id"]}
