"""Connections, over raw sockets: none is held for ever, none ends without a word, and the last word can be read."""

import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

import h11
import httpx
import pytest

from jobs.settings import Settings
from tests.app.conftest import WebProcess, read_to_end, web_process
from tests.app.test_problems import raw_connection

Serve = Callable[[Settings], AbstractContextManager[httpx.Client]]
Post = Callable[..., httpx.Response]

FORM = b"Host: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
LIVE = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
MEGABYTES = b"0" * 5_000_000


class Peer:
    """A client that reads answer by answer and says whether the connection goes on."""

    def __init__(self, raw: socket.socket) -> None:
        self.raw = raw

    def answer(self) -> tuple[h11.Response, bytes, bool]:
        """Status and headers, the body, and whether the server said that this was the last."""
        parser = h11.Connection(h11.CLIENT)
        parser.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
        parser.send(h11.EndOfMessage())
        head, body = None, b""
        while not isinstance(event := parser.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                parser.receive_data(self.raw.recv(65536))
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
        assert head is not None
        return head, body, (b"connection", b"close") in head.headers


@pytest.fixture
def peer(client: httpx.Client) -> Peer:
    return Peer(raw_connection(client))


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST /v1/jobs HTTP/1.1\r\n" + FORM + b"Content-Length: 99000000\r\n\r\n", 413),
        (b"POST /v1/jobs HTTP/1.1\r\n" + FORM + b"Origin: null\r\nContent-Length: 5000000\r\n\r\n", 403),
        (b"POST /v1/jobs HTTP/1.1\r\n" + FORM.replace(b"localhost", b"x") + b"Content-Length: 5000000\r\n\r\n", 421),
        (b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000\r\n\r\n", 415),
        (b"POST /nowhere HTTP/1.1\r\n" + FORM + b"Content-Length: 5000000\r\n\r\n", 404),
        (b"PUT /v1/jobs HTTP/1.1\r\n" + FORM + b"Content-Length: 5000000\r\n\r\n", 405),
        (b"POST /v1/jobs HTTP/1.1\r\n" + FORM + b"Content-Length: 5000000\r\n\r\n--x\r\nbad\r\n\r\n", 400),
        (b"POST /v1/jobs HTTP/1.1\r\n" + FORM + b"Transfer-Encoding: chunked\r\n\r\n5\r\n--x--\r\nXX\r\n", 400),
    ],
)
def test_a_refusal_in_mid_upload_can_be_read_and_says_that_the_connection_ends(
    peer: Peer, head: bytes, status: int
) -> None:
    with peer.raw as raw:
        raw.sendall(head)
        with suppress(BrokenPipeError, ConnectionResetError):
            raw.sendall(MEGABYTES)  # a client that writes first and reads then
        answer, body, is_last = peer.answer()
        assert (answer.status_code, is_last) == (status, True)
        assert f'"status":{status}'.encode() in body
        assert raw.recv(1) == b""


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /v1/jobs/x HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /v1/references HTTP/1.1\r\nHost: elsewhere\r\n\r\n",
        b"POST /v1/jobs HTTP/1.1\r\n" + FORM + b"Content-Length: 7\r\n\r\n--x--\r\n",
        b"POST /v1/references/rose/finetune HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /v1/jobs/x/cancel HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}",
    ],
)
def test_after_an_error_whose_request_was_read_the_connection_goes_on(peer: Peer, request_bytes: bytes) -> None:
    with peer.raw as raw:
        for _ in range(2):
            raw.sendall(request_bytes)
            answer, _, is_last = peer.answer()
            assert (answer.status_code >= 400, is_last) == (True, False)
        raw.sendall(LIVE)
        assert peer.answer()[0].status_code == 200


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02\x00\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"G" * 100_000])
def test_what_is_no_request_is_answered_with_a_problem(peer: Peer, garbage: bytes) -> None:
    with peer.raw as raw:
        raw.sendall(garbage)
        answer, body, is_last = peer.answer()
        assert (answer.status_code, is_last) == (400, True)
        assert b"malformed_request" in body


def test_a_head_request_with_a_broken_body_is_answered_without_one(peer: Peer) -> None:
    with peer.raw as raw:
        raw.sendall(b"HEAD /livez HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
        answer = read_to_end(raw)
        assert answer.startswith(b"HTTP/1.1 400")
        assert answer.endswith(b"\r\n\r\n")


def test_an_upload_that_waits_to_be_asked_is_never_asked_when_it_is_refused(peer: Peer) -> None:
    with peer.raw as raw:
        raw.sendall(b"POST /v1/jobs HTTP/1.1\r\n" + FORM + b"Expect: 100-continue\r\nContent-Length: 99000000\r\n\r\n")
        assert raw.recv(65536).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    ("said", "is_told"),
    [(b"", False), (b"GET", True), (b"GET /livez HTTP/1.1\r\nHost: loc", True), (LIVE, False), (LIVE + b"GET", False)],
)
def test_a_connection_that_says_no_more_ends(serve: Serve, settings: Settings, said: bytes, is_told: bool) -> None:
    with serve(settings.model_copy(update={"head_timeout_s": 0.5, "keep_alive_s": 1})) as client:
        with raw_connection(client) as raw:
            raw.sendall(said)
            started = time.monotonic()
            answer = read_to_end(raw)
        assert time.monotonic() - started < 10
        assert (b" 408 " in answer) == is_told
        assert client.get("/livez").status_code == 200


def test_a_head_that_trickles_gets_no_more_time(serve: Serve, settings: Settings) -> None:
    with serve(settings.model_copy(update={"head_timeout_s": 0.5})) as client, raw_connection(client) as raw:
        started = time.monotonic()
        with suppress(BrokenPipeError, ConnectionResetError):
            for letter in b"GET /livez HTTP/1.1\r\nX: " + b"a" * 200:
                raw.sendall(bytes([letter]))
                time.sleep(0.05)
        assert time.monotonic() - started < 5


def insist(raw: socket.socket) -> None:
    """Write, and never read. Raises OSError once the other side is gone."""
    for _ in range(400):
        raw.sendall(b"G")
        time.sleep(0.05)


def test_who_does_not_read_is_let_go(serve: Serve, settings: Settings) -> None:
    with serve(settings.model_copy(update={"upload_timeout_s": 0.5})) as client, raw_connection(client) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.sendall(LIVE.replace(b"/livez", b"/docs/assets/swagger-ui-bundle.js") * 20)
        with pytest.raises(OSError, match=r"reset|[Bb]roken"):
            insist(raw)


def begin_upload(web: WebProcess) -> Peer:
    """A form of which only the first bytes come."""
    peer = Peer(web.connect())
    peer.raw.sendall(b"POST /v1/jobs HTTP/1.1\r\n" + FORM + b"Content-Length: 5000000\r\n\r\n--x\r\n")
    return peer


def test_when_the_server_stops_uploads_and_polls_get_an_answer(settings: Settings, jpeg: bytes) -> None:
    with web_process(settings) as web:
        here = f"http://127.0.0.1:{web.port}/v1/jobs"
        job = httpx.post(here, files={"photo": jpeg}, data={"reference_id": "rose"}).json()
        upload, poll, silent = begin_upload(web), Peer(web.connect()), web.connect()
        poll.raw.sendall(f"GET /v1/jobs/{job['id']} HTTP/1.1\r\nHost: localhost\r\nPrefer: wait=30\r\n\r\n".encode())
        time.sleep(0.5)
        web.process.terminate()
        started = time.monotonic()
        answer, body, is_last = upload.answer()
        headers = dict(answer.headers)
        assert (answer.status_code, headers[b"retry-after"], is_last) == (503, b"5", True)
        assert b'"code":"shutting_down"' in body
        answer, body, is_last = poll.answer()
        assert (answer.status_code, is_last) == (200, True)
        assert b'"status":"queued"' in body
        assert silent.recv(1) == b""
        for each in (upload.raw, poll.raw, silent):
            each.close()
        assert web.process.wait(10) in (0, -15)
        assert time.monotonic() - started < 5
