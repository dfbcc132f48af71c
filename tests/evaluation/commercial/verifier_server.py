"""A server on this machine that speaks both verifiers' documented protocols, and is as strict as they are.

It shares no code with the clients: multipart bodies are read by the standard library's mail parser, and the signature
is computed from the published rule, byte by byte. A picture of one colour shows no face; two pictures are as alike as
their thumbnails.
"""

import base64
import hashlib
import hmac
import io
import json
import re
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
from PIL import Image, UnidentifiedImageError

KEY, SECRET = "key-of-the-tests", "secret-nobody-may-see"
THRESHOLDS = {"1e-3": 62.327, "1e-4": 69.101, "1e-5": 73.975}
CREDENTIALS = re.compile(r"ACS3-HMAC-SHA256 Credential=([^,]*),SignedHeaders=([^,]*),Signature=([0-9a-f]{64})")


@dataclass(frozen=True)
class Reply:
    """What the server says instead of comparing."""

    status: int
    body: str
    headers: dict[str, str] = field(default_factory=dict)
    after_s: float = 0.0


@dataclass(frozen=True)
class Request:
    """What came: when, where, the headers by names in lower case, the text fields and the pictures."""

    at: float
    path: str
    headers: dict[str, str]
    fields: dict[str, str]
    pictures: list[bytes]


class VerifierServer(ThreadingHTTPServer):
    """Keeps every request; answers with `replies` first, then as the services do."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[Request] = []
        self.replies: deque[Reply] = deque()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that gave up waiting are part of the tests."""


@contextmanager
def serving() -> Iterator[VerifierServer]:
    """A running server."""
    with VerifierServer() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: VerifierServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/facepp/v3/compare":
            request = self._multipart(body)
            status, facts = _facepp(request, len(body))
        else:
            fields = dict(parse_qsl(body.decode(), strict_parsing=True))
            pictures = [base64.b64decode(fields.pop(name), validate=True) for name in ("ImageDataA", "ImageDataB")]
            request = Request(time.monotonic(), self.path, self._headers(), fields, pictures)
            used = {earlier.headers.get("x-acs-signature-nonce") for earlier in self.server.requests}
            status, facts = _aliyun(request, body, used)
        self.server.requests.append(request)
        reply = Reply(status, json.dumps(facts))
        if self.server.replies:
            reply = self.server.replies.popleft()
        time.sleep(reply.after_s)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body.encode())))
        self.end_headers()
        self.wfile.write(reply.body.encode())

    def _multipart(self, body: bytes) -> Request:
        message = message_from_bytes(b"Content-Type: " + self.headers["Content-Type"].encode() + b"\r\n\r\n" + body)
        fields, pictures = dict[str, str](), dict[str, bytes]()
        for part in message.walk():
            name = part.get_param("name", header="Content-Disposition")
            if isinstance(name, str):
                content = part.get_payload(decode=True)
                assert isinstance(content, bytes)
                if part.get_filename():
                    pictures[name] = content
                else:
                    fields[name] = content.decode()
        both = [pictures[f"image_file{number}"] for number in (1, 2) if pictures]
        return Request(time.monotonic(), self.path, self._headers(), fields, both)

    def _headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers.items()}

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's name
        """Say nothing."""


def _facepp(request: Request, size: int) -> tuple[int, dict[str, Any]]:
    if (request.fields.get("api_key"), request.fields.get("api_secret")) != (KEY, SECRET):
        return 401, {"error_message": "AUTHENTICATION_ERROR"}
    if size > 2 * 1024 * 1024:
        return 413, {"error_message": "Request Entity Too Large"}
    for number, picture in enumerate(request.pictures, 1):
        problem = _problem(picture, ("JPEG", "PNG"), 48, 4096)
        if problem:
            return 400, {"error_message": f"{problem}:image_file{number}"}
    empty = [not _has_face(picture) for picture in request.pictures]
    facts: dict[str, Any] = {"request_id": "1,2", "time_used": 1}
    facts |= {f"faces{number}": [] if blank else [{"face_token": "f"}] for number, blank in enumerate(empty, 1)}
    if not any(empty):
        facts |= {"confidence": likeness(*request.pictures), "thresholds": THRESHOLDS}
    return 200, facts


def _aliyun(request: Request, body: bytes, used: set[str | None]) -> tuple[int, dict[str, Any]]:
    headers = request.headers
    given = CREDENTIALS.fullmatch(headers.get("authorization", ""))
    if given is None:
        return 400, {"Code": "IncompleteSignature", "Message": "not the documented header"}
    key, names, signature = given.groups()
    if key != KEY:
        return 404, {"Code": "InvalidAccessKeyId.NotFound", "Message": f"no key {key}"}
    owed = {"host", "content-type"} | {name for name in headers if name.startswith("x-acs-")}
    canonical = canonical_request(request.path, headers, names.split(";"), body)
    if set(names.split(";")) != owed or signature != signature_of(canonical, SECRET):
        return 400, {"Code": "SignatureDoesNotMatch", "Message": f"server canonical request is: {canonical}"}
    sent = datetime.strptime(headers["x-acs-date"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    if abs(datetime.now(UTC) - sent) > timedelta(minutes=15):
        return 400, {"Code": "InvalidTimeStamp.Expired", "Message": "too old"}
    if headers["x-acs-signature-nonce"] in used:
        return 400, {"Code": "SignatureNonceUsed", "Message": "seen before"}
    fixed = ("x-acs-action", "x-acs-version", "content-type", "x-acs-content-sha256")
    call = ["CompareFace", "2019-12-30", "application/x-www-form-urlencoded", hashlib.sha256(body).hexdigest()]
    if [headers[name] for name in fixed] != call or request.fields:
        return 400, {"Code": "InvalidParameter", "Message": "not the documented call"}
    if any(_problem(picture, ("JPEG", "PNG"), 33, 4095) for picture in request.pictures):
        return 400, {"Code": "InvalidImage.Resolution", "Message": "size"}
    if not all(map(_has_face, request.pictures)):
        return 404, {"Code": "InvalidImage.NotFoundFace", "Message": "no face"}
    return 200, {
        "RequestId": "R",
        "Data": {"Confidence": likeness(*request.pictures), "Thresholds": [61.0, 69.0, 75.0], "QualityScoreA": 99.0},
    }


def canonical_request(path: str, headers: dict[str, str], names: list[str], body: bytes) -> str:
    """The canonical request of a POST without a query, from the published rule: six parts, a line end between them."""
    digest = hashlib.sha256(body).hexdigest()
    chosen = "".join([name + ":" + headers[name] + "\n" for name in sorted(names)])
    return "POST\n" + path + "\n" + "\n" + chosen + "\n" + ";".join(sorted(names)) + "\n" + digest


def signature_of(canonical: str, secret: str) -> str:
    """Its signature, in hex."""
    text = "ACS3-HMAC-SHA256\n" + hashlib.sha256(canonical.encode()).hexdigest()
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def likeness(a: bytes, b: bytes) -> float:
    """100 for the same picture, less for others."""
    thumbnails = [np.asarray(Image.open(io.BytesIO(data)).convert("RGB").resize((16, 16)), float) for data in (a, b)]
    return round(max(0.0, 100 - float(np.abs(thumbnails[0] - thumbnails[1]).mean())), 3)


def _has_face(picture: bytes) -> bool:
    return float(np.asarray(Image.open(io.BytesIO(picture)).convert("L"), float).std()) > 2


def _problem(picture: bytes, formats: tuple[str, ...], least_px: int, most_px: int) -> str | None:
    try:
        with Image.open(io.BytesIO(picture)) as image:
            if image.format not in formats:
                return "IMAGE_ERROR_UNSUPPORTED_FORMAT"
            return None if least_px <= min(image.size) and max(image.size) <= most_px else "INVALID_IMAGE_SIZE"
    except UnidentifiedImageError:
        return "IMAGE_ERROR_UNSUPPORTED_FORMAT"
