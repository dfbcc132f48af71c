"""Many and large uploads at once cost the web process little memory, and small ones come through."""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from io import BytesIO

import httpx
import pytest
from PIL import Image
from redis import Redis

from app.problem import Problem
from app.uploads import Place, Uploads
from jobs.settings import Settings
from tests.app.conftest import WebProcess, read_to_end, web_process
from tests.app.serving.test_server import FORM, LIVE, Peer
from tests.app.test_problems import problem, raw_connection

Serve = Callable[[Settings], AbstractContextManager[httpx.Client]]

HALF_OPEN = 150
LARGE = 30
PRESSURE_S = 6.0
MOST_GROWTH_BYTES = 64 * 2**20
"""As docs/journey/upload.md promises; so is SMALL_S."""
SMALL_S = 2.0
FIELD = b'--x\r\nContent-Disposition: form-data; name="reference_id"\r\n\r\nrose\r\n'
FILE = b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n\r\n'


def noise_request(width: int, height: int) -> bytes:
    """A whole job over HTTP; its photo has three bytes a pixel that nothing can compress."""
    photo = BytesIO()
    Image.frombytes("RGB", (width, height), os.urandom(width * height * 3)).save(photo, "PNG", compress_level=0)
    body = FIELD + FILE + photo.getvalue() + b"\r\n--x--\r\n"
    return b"POST /v1/jobs HTTP/1.1\r\n" + FORM + b"Content-Length: %d\r\n\r\n" % len(body) + body


def send(web: WebProcess, request: bytes) -> int:
    """The status of the answer, from a client that writes first and reads then."""
    with web.connect() as raw:
        with suppress(BrokenPipeError, ConnectionResetError):
            raw.sendall(request)
        return Peer(raw).answer()[0].status_code


def press(web: WebProcess, request: bytes, is_over: threading.Event, outcomes: Counter[int]) -> None:
    """Send it again and again."""
    while not is_over.is_set():
        outcomes[send(web, request)] += 1
        is_over.wait(0.2)


def watch(web: WebProcess, is_over: threading.Event, seen: list[int]) -> None:
    """Look at its memory again and again."""
    while not is_over.wait(0.05):
        seen.append(web.rss_bytes())


def test_a_crowd_of_large_uploads_costs_little_and_lets_small_ones_through(settings: Settings, redis: Redis) -> None:
    large, small = noise_request(2500, 2530), noise_request(200, 170)
    assert len(large) > 18_900_000
    seen, latencies, outcomes, is_over = [0], [0.0], Counter[int](), threading.Event()
    with web_process(settings) as web, ExitStack() as held:
        assert send(web, small) == 202
        before = web.rss_bytes()
        for _ in range(HALF_OPEN):
            held.enter_context(web.connect()).sendall(b"POST /v1/jobs HTTP/1.1\r\nHost: loc")
        crowd = [threading.Thread(target=press, args=(web, large, is_over, outcomes)) for _ in range(LARGE)]
        crowd.append(threading.Thread(target=watch, args=(web, is_over, seen)))
        for each in crowd:
            each.start()
        started = time.monotonic()
        while time.monotonic() - started < PRESSURE_S:
            sent = time.monotonic()
            assert send(web, small) == 202
            latencies.append(time.monotonic() - sent)
        is_over.set()
        for each in crowd:
            each.join()
        assert httpx.get(f"http://127.0.0.1:{web.port}/livez").status_code == 200
    redis.flushdb()
    assert max(seen) - before < MOST_GROWTH_BYTES
    assert outcomes[202] > 0
    assert set(outcomes) == {202, 503}
    assert max(latencies) < SMALL_S


def test_one_upload_too_many_is_told_to_come_back_before_it_is_read(serve: Serve, settings: Settings) -> None:
    with serve(settings.model_copy(update={"max_uploads": 4})) as client, ExitStack() as held:
        here = b"POST /v1/jobs HTTP/1.1\r\n" + FORM
        for _ in range(4):
            held.enter_context(raw_connection(client)).sendall(here + b"Content-Length: 1000\r\n\r\n--x\r\n")
        time.sleep(0.5)
        with raw_connection(client) as raw:
            raw.sendall(here + b"Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n")
            answer, body, is_last = Peer(raw).answer()
        assert (answer.status_code, is_last) == (503, True)
        assert (b"retry-after", b"5") in list(answer.headers)
        assert b'"code":"too_many_uploads"' in body
        assert client.get("/livez").status_code == 200
        held.close()
        time.sleep(0.5)
        assert problem(client.post("/v1/jobs", files={"photo": b"x"})).code == "missing_field"


def test_a_waiting_client_keeps_no_place_among_the_uploads(serve: Serve, settings: Settings, jpeg: bytes) -> None:
    with serve(settings.model_copy(update={"max_uploads": 4})) as client:

        def send_and_wait() -> None:
            fields = {"reference_id": "rose"}
            client.post("/v1/jobs", files={"photo": jpeg}, data=fields, headers={"Prefer": "wait=3"})

        waiting = [threading.Thread(target=send_and_wait) for _ in range(4)]
        for each in waiting:
            each.start()
        time.sleep(1.5)
        assert client.post("/v1/jobs", files={"photo": jpeg}, data={"reference_id": "rose"}).status_code == 202
        for each in waiting:
            each.join()


def test_large_uploads_leave_a_share_to_small_ones(settings: Settings) -> None:
    uploads, large = Uploads(settings.model_copy(update={"max_uploads": 100})), settings.max_upload_bytes
    places: list[Place] = []
    with suppress(Problem):
        while True:
            places.append(uploads.take(large))
    assert len(places) == 4  # three quarters of six times the largest
    small = [uploads.take(1000) for _ in range(50)]
    for place in (*places, *small, *small):
        place.give_back()
    assert (uploads.count, uploads.total_bytes) == (0, 0)


TWO_LENGTHS = [
    b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n",
    b"transfer-encoding: CHUNKED\r\ncontent-length: 0\r\n",
]


@pytest.mark.parametrize("lengths", TWO_LENGTHS)
@pytest.mark.parametrize("rest", [b"", b"100000\r\n" + bytes(2**20) + b"\r\n", b"0\r\n\r\n" + LIVE], ids=len)
def test_a_body_whose_end_is_said_in_two_ways_is_refused_and_nothing_after_it_is_heard(
    client: httpx.Client, lengths: bytes, rest: bytes
) -> None:
    with raw_connection(client) as raw:
        with suppress(BrokenPipeError, ConnectionResetError):
            raw.sendall(b"POST /v1/jobs HTTP/1.1\r\n" + FORM + lengths + b"\r\n" + rest)
        answer = read_to_end(raw)
    assert answer.startswith(b"HTTP/1.1 400")
    assert b'"code":"malformed_request"' in answer
    assert b"connection: close" in answer
    assert answer.count(b"HTTP/1.1") == 1


def test_two_lengths_are_refused_where_no_body_is_expected(client: httpx.Client) -> None:
    with raw_connection(client) as raw:
        raw.sendall(LIVE.replace(b"\r\n\r\n", b"\r\n" + TWO_LENGTHS[0] + b"\r\n0\r\n\r\n") + LIVE)
        answer = read_to_end(raw)
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1") == 1


def test_the_room_for_a_chunked_body_is_all_that_it_may_have(serve: Serve, settings: Settings) -> None:
    """Three quarters of six times the largest: four of them fit, and the fifth is told so, however little each says."""
    with serve(settings) as client, ExitStack() as held:
        here = b"POST /v1/jobs HTTP/1.1\r\n" + FORM + b"Transfer-Encoding: chunked\r\n\r\n"
        for _ in range(4):
            held.enter_context(raw_connection(client)).sendall(here)
        time.sleep(0.5)
        with raw_connection(client) as raw:
            raw.sendall(here)
            answer, body, _ = Peer(raw).answer()
    assert answer.status_code == 503
    assert b"too_many_uploads" in body
