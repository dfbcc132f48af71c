"""A real HTTP server that webhooks are told to, as well-behaved or ill-behaved as a test wants it."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from typing import Any

from standardwebhooks import Webhook as Verifier

CHALLENGED = "endpoint.verification"


@dataclass(frozen=True)
class Received:
    """A request, as it came in."""

    path: str
    headers: dict[str, str]
    body: str
    at: float

    @property
    def told(self) -> dict[str, Any]:
        """The message."""
        message: dict[str, Any] = json.loads(self.body)
        return message

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass(frozen=True)
class Reply:
    """What is answered: a status and headers, after so many seconds."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    after_s: float = 0
    body: bytes = b""


OK = Reply()


@dataclass
class Receiver:
    """Answers challenges, unless told not to; `behave` says what becomes of every other message, counted from 0."""

    port: int
    scheme: str
    behave: Callable[[int], Reply] = lambda _: OK
    on_challenge: Callable[[str], Reply] = lambda text: Reply(body=json.dumps({"challenge": text}).encode())
    all: list[Received] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    under_way: int = 0
    most_under_way: int = 0

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/hook"

    @property
    def messages(self) -> list[Received]:
        """All that were no challenge."""
        return [each for each in self.all if each.told["type"] != CHALLENGED]

    @property
    def types(self) -> list[str]:
        return [each.told["type"] for each in self.messages]

    @property
    def challenges(self) -> int:
        return len(self.all) - len(self.messages)

    def reply(self, received: Received) -> Reply:
        with self.lock:
            number = len(self.messages)
            self.all.append(received)
        if received.told["type"] == CHALLENGED:
            return self.on_challenge(received.told["data"]["challenge"])
        return self.behave(number)


def eventually(is_so: Callable[[], object], timeout_s: float = 20) -> bool:
    """Whether it becomes so in time."""
    deadline = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def verified(received: Received, secret: str) -> bool:
    """Whether the receiver's own library takes the signature. Raises WebhookVerificationError."""
    Verifier(secret).verify(received.body, received.headers)
    return True


@contextmanager
def receiving(tls: SSLContext | None = None) -> Iterator[Receiver]:
    """A receiver until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # which would keep connections

        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0))).decode()
            with receiver.lock:
                receiver.under_way += 1
                receiver.most_under_way = max(receiver.most_under_way, receiver.under_way)
            try:
                reply = receiver.reply(Received(self.path, headers, body, time.monotonic()))
                is_over.wait(reply.after_s)
                self.send_response(reply.status)
                for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body)
            except OSError:  # the sender lost its patience
                self.close_connection = True
            finally:
                with receiver.lock:
                    receiver.under_way -= 1

        def log_message(self, *_: object) -> None:
            """Nothing is said."""

    is_over = threading.Event()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        receiver = Receiver(server.server_address[1], "https" if tls else "http")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield receiver
        finally:
            is_over.set()
            server.shutdown()
            thread.join()
