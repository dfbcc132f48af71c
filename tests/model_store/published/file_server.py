"""A file host on this machine: a real HTTP server with ranges and tags, which stumbles when it is told to."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread


@dataclass
class Hosted:
    """A file as the host serves it.

    cut_after: bytes after which the next answers break off, one number each.  statuses: of the next answers.
    redirect: an address to send people to instead, with the headers of `extra`.  claims_bytes: an untrue length.
    stalls: after its first half the next answer waits for this event, and breaks off.
    """

    data: bytes
    content_type: str = "application/octet-stream"
    has_ranges: bool = True
    has_tag: bool = True
    cut_after: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    redirect: str = ""
    claims_bytes: int | None = None
    stalls: Event | None = None
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def tag(self) -> str:
        """Changes with the content."""
        return f'"{hashlib.sha256(self.data).hexdigest()[:16]}"'


@dataclass
class FileHost:
    """What it serves, where, and what it was asked for: path, Range, Authorization."""

    address: str
    files: dict[str, Hosted] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)


@contextmanager
def file_host() -> Iterator[FileHost]:
    """A host that listens until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answer)
    host = FileHost(f"http://127.0.0.1:{server.server_address[1]}")
    server.host = host  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        host: FileHost = self.server.host  # type: ignore[attr-defined]
        host.asked.append((self.path, self.headers.get("Range", ""), self.headers.get("Authorization", "")))
        hosted = host.files.get(self.path)
        if hosted is None or hosted.statuses:
            status = hosted.statuses.pop(0) if hosted else 404
            self._say(status, {"Content-Length": "0"})
        elif hosted.redirect:
            self._say(302, {"Location": hosted.redirect, "Content-Length": "0", **hosted.extra})
        else:
            self._send(hosted)

    def _send(self, hosted: Hosted) -> None:
        start, status = self._start(hosted), 200
        headers = {"Content-Type": hosted.content_type} | hosted.extra
        if hosted.has_tag:
            headers["ETag"] = hosted.tag
        if start is not None and start >= len(hosted.data):
            self._say(416, headers | {"Content-Range": f"bytes */{len(hosted.data)}", "Content-Length": "0"})
            return
        if start is not None:
            status = 206
            headers["Content-Range"] = f"bytes {start}-{len(hosted.data) - 1}/{len(hosted.data)}"
        body = hosted.data[start or 0 :]
        self._say(status, headers | {"Content-Length": str(hosted.claims_bytes or len(body))})
        if hosted.cut_after:
            body = body[: hosted.cut_after.pop(0)]
            self.close_connection = True
        if hosted.stalls is not None:
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
            hosted.stalls.wait(60)
            hosted.stalls = None
            return
        self.wfile.write(body)

    def _start(self, hosted: Hosted) -> int | None:
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        is_same = self.headers.get("If-Range") == hosted.tag
        return int(found[1]) if found and hosted.has_ranges and is_same else None

    def _say(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
        """Tests read `asked` instead."""
