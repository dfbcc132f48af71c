"""One attempt ends in time and says what came of it, whatever the other side does to it."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx
import pytest

from app.webhooks.pinned import PinnedTransport
from app.webhooks.sending import Answer, Sender
from diffam_client.contract.webhook import ENDINGS, Webhook
from jobs.webhooks.delivery import Delivery, Outcome
from tests.receiver import Receiver, Reply, receiving

TIMEOUT_S = 0.5
SECRET = "whsec_" + "c2VjcmV0" * 5
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
Peer = Callable[[socket.socket, threading.Event], None]

pytestmark = pytest.mark.anyio


def says(text: bytes, peer: socket.socket, is_over: threading.Event) -> None:
    """Once, and then nothing."""
    peer.sendall(text)
    is_over.wait()


def drips(text: bytes, peer: socket.socket, is_over: threading.Event) -> None:
    """Then a byte now and then, for ever."""
    peer.sendall(text)
    while not is_over.wait(0.05):
        peer.sendall(b"x")


def pours(text: bytes, peer: socket.socket, is_over: threading.Event) -> None:
    """Then as much as is taken, for ever."""
    peer.sendall(text)
    while not is_over.is_set():
        peer.sendall(b"x" * 65536)


def hangs_up(peer: socket.socket, is_over: threading.Event) -> None:
    """At once."""
    assert not is_over.is_set()
    peer.close()


PEERS: dict[str, tuple[Peer, set[str | None]]] = {
    "takes the connection and says nothing": (partial(says, b""), {"timeout"}),
    "hangs up": (hangs_up, {"unreachable"}),
    "speaks something else": (partial(says, b"220 mail.example.org ESMTP\r\n\r\n"), {"unreachable"}),
    "drips a head": (partial(drips, b"HTTP/1.1 200 OK\r\nX: "), {"timeout"}),
    "pours a head": (partial(pours, b"HTTP/1.1 200 OK\r\nX: "), {"unreachable", "timeout"}),
    "drips an answer": (partial(drips, HEAD + b"Content-Length: 9999\r\n\r\n"), {"timeout"}),
    "pours an answer": (partial(pours, HEAD + b"Content-Length: 99999999999\r\n\r\n"), {"challenge"}),
    "ends an answer early": (partial(says, HEAD + b"Content-Length: 2\r\n\r\n{}"), {"challenge"}),
    "sends chunks that are none": (partial(says, HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"), {"unreachable"}),
    "packs its answer": (partial(says, HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"), {"challenge"}),
    "goes on and on": (partial(drips, b"HTTP/1.1 100 Continue\r\n\r\n" * 500), {"timeout", "unreachable"}),
}


@contextmanager
def peering(act: Peer) -> Iterator[str]:
    """Somebody at an address who does that to every connection."""
    is_over = threading.Event()

    def meet(peer: socket.socket) -> None:
        with peer, suppress(OSError):
            peer.recv(65536)
            act(peer, is_over)

    def serve() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=meet, args=(server.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/hook"
        finally:
            is_over.set()
            server.shutdown(socket.SHUT_RDWR)


def delivery(url: str, *, is_verified: bool = False) -> Delivery:
    """Of a job that succeeded."""
    webhook = Webhook(url=url, events=ENDINGS)
    return Delivery("job", 1, 1, "job.succeeded", datetime.now(UTC), 0, webhook, is_verified, "", "protect", None)


async def attempted(url: str, *, is_verified: bool = False, transport: PinnedTransport | None = None) -> Outcome:
    """What comes of an attempt, which must end in time: two requests at most."""
    begun = time.monotonic()
    async with httpx.AsyncClient(transport=transport or PinnedTransport(loopback=True), timeout=TIMEOUT_S) as client:
        outcome = await Sender(client, TIMEOUT_S, None).attempt(delivery(url, is_verified=is_verified), [SECRET])
    assert time.monotonic() - begun < 2 * TIMEOUT_S + 1
    return outcome


@pytest.mark.parametrize("kind", PEERS)
async def test_whatever_a_peer_does_to_a_challenge_the_attempt_ends_and_says_so(kind: str) -> None:
    act, errors = PEERS[kind]
    with peering(act) as url:
        outcome = await attempted(url)
    assert (outcome.ending, outcome.is_proven) == ("unverified", False)
    assert outcome.attempt.error in errors


@pytest.mark.parametrize("kind", ["drips an answer", "pours an answer", "packs its answer", "ends an answer early"])
async def test_of_an_answer_to_a_message_only_the_status_is_read(kind: str) -> None:
    with peering(PEERS[kind][0]) as url:
        outcome = await attempted(url, is_verified=True)
    assert (outcome.ending, outcome.attempt.status_code, outcome.attempt.error) == ("delivered", 200, None)


async def test_nobody_there_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    outcome = await attempted(f"http://127.0.0.1:{port}/")
    assert (outcome.attempt.status_code, outcome.attempt.error) == (None, "unreachable")


async def test_a_name_that_is_never_answered_costs_no_more_than_the_patience() -> None:
    async def never(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(60)
        return [f"{host} {port}"]

    outcome = await attempted("https://photos.example.org/", transport=PinnedTransport(resolve=never))
    assert outcome.attempt.error == "timeout"


async def test_a_look_up_that_hangs_is_left_alone_and_others_are_made_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    is_over, real = threading.Event(), socket.getaddrinfo

    def look_up(host: str, *rest: Any, **more: Any) -> Any:
        """The system's; there is no other way to have a name server that does not answer."""
        return is_over.wait(30) if host.startswith("hanging") else real(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    try:
        with receiving() as receiver:
            urls = [*(f"https://hanging{number}.example.org/" for number in range(50)), receiver.url]
            async with httpx.AsyncClient(transport=PinnedTransport(loopback=True), timeout=TIMEOUT_S) as client:
                sender, begun = Sender(client, TIMEOUT_S, None), time.monotonic()
                tries = [sender.attempt(delivery(url, is_verified=True), [SECRET]) for url in urls]
                outcomes = await asyncio.gather(*tries)
                assert time.monotonic() - begun < TIMEOUT_S + 1
    finally:
        is_over.set()
    assert [outcome.attempt.error for outcome in outcomes] == ["timeout"] * 50 + [None]


@pytest.mark.parametrize(
    ("status", "ending", "error"),
    [
        (200, "delivered", None), (201, "delivered", None), (204, "delivered", None), (304, "again", "redirect"),
        (400, "again", "status"), (404, "again", "status"), (410, "gone", "gone"), (429, "again", "status"),
        (500, "again", "status"),
    ],
)  # fmt: skip
async def test_a_status_means_what_standard_webhooks_say(status: int, ending: str, error: str | None) -> None:
    with receiving() as receiver:
        receiver.behave = lambda _: Reply(status)
        outcome = await attempted(receiver.url, is_verified=True)
    assert (outcome.ending, outcome.attempt.status_code, outcome.attempt.error) == (ending, status, error)


async def test_who_answers_the_challenge_and_fails_the_message_has_proven_itself() -> None:
    with receiving() as receiver:
        receiver.behave = lambda _: Reply(500)
        outcome = await attempted(receiver.url)
    assert (outcome.ending, outcome.is_proven) == ("again", True)


@pytest.mark.parametrize(
    ("text", "seconds"), [("7", 7), ("", 0), ("soon", 0), ("-3", 0), ("1e9", 0), ("²", 0), ("99999999999", 0)]
)
async def test_only_whole_seconds_are_taken_from_retry_after(receiver: Receiver, text: str, seconds: float) -> None:
    receiver.behave = lambda _: Reply(503, {"Retry-After": text.encode().decode("latin-1")})
    assert (await attempted(receiver.url, is_verified=True)).after_s == seconds


def test_an_answer_is_not_shown_where_it_might_be_logged() -> None:
    assert "hidden" not in repr(Answer(200, None, "hidden"))
