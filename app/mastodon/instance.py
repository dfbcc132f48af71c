"""The way out to the one Mastodon instance that is configured, with the token of whoever asks and nothing else."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import IO, Any
from urllib.parse import quote

import httpx
from fastapi import Response
from starlette.responses import StreamingResponse

from app.problem import Problem
from jobs.settings import Settings

DOCUMENT_BYTES = 1 << 20  # of an answer that is read here
PASSED_BYTES = 16 << 20  # of one that is passed on
PASSED_S = 4  # times the patience for its head
AT_ONCE = 64
IN_PATHS = "/:@!$&'()*+,;=~-._"
SENT = ("accept", "accept-language", "authorization", "content-type", "idempotency-key", "if-none-match", "user-agent")
RETURNED = (
    "cache-control", "content-encoding", "content-language", "content-type", "deprecation", "etag", "link", "location",
    "mastodon-async-refresh", "retry-after", "www-authenticate",
    "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset",
)  # fmt: skip
INERT = {"Content-Security-Policy": "sandbox; default-src 'none'"}
"""No page of the instance may act as one of ours."""


@dataclass(frozen=True)
class Answer:
    """What the instance said: JSON."""

    status: int
    document: Any


@dataclass(frozen=True)
class File:
    """A file for the instance. What it is called at home is nobody's business."""

    content: bytes | IO[bytes]
    media_type: str

    @property
    def name(self) -> str:
        """What it is called on its way."""
        return "media." + self.media_type.partition("/")[2]


class Instance:
    """One instance: no other host is ever asked, no redirect followed, no cookie kept, no proxy of the environment."""

    def __init__(self, url: str, timeout_s: float, client: httpx.AsyncClient) -> None:
        self.url = url
        self._timeout_s = timeout_s
        self._client = client

    async def ask(
        self, method: str, path: str, token: str, fields: Mapping[str, str] | None = None, file: File | None = None
    ) -> Answer:
        """Its answer to a call of ours. Raises Problem: there is none, or it is none of Mastodon's."""
        form: dict[str, Any] = {"data": dict(fields)} if fields else {}
        if file:
            form["files"] = {"file": (file.name, file.content, file.media_type)}
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json", "Accept-Encoding": "identity"}
        request = self._client.build_request(method, self._at(path), headers=headers, **form)
        async with _within(self._timeout_s):
            response = await self._client.send(request, stream=True)
            try:
                body = b"".join([piece async for piece in _bounded(response, DOCUMENT_BYTES)])
            finally:
                await response.aclose()
        if response.is_redirect:
            raise unreachable("it redirects; DIFFAM_MASTODON_URL is to be the address where it ends")
        try:
            return Answer(response.status_code, json.loads(body) if body else {})
        except ValueError as error:
            raise unreachable(f"it answered {response.status_code}, and no JSON") from error

    async def relay(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Response:
        """Its answer to somebody else's call, passed on as it comes, within bounds. Raises Problem."""
        sent = {name: headers[name] for name in SENT if name in headers} | {
            "accept-encoding": headers.get("accept-encoding", "identity")
        }
        url = self._at(path).copy_with(query=query.encode() or None)
        request = self._client.build_request(method, url, headers=sent, content=body or None)
        async with _within(self._timeout_s):
            response = await self._client.send(request, stream=True)
        returned = {name: response.headers[name] for name in RETURNED if name in response.headers}
        return StreamingResponse(self._pieces(response), response.status_code, returned | INERT)

    async def _pieces(self, response: httpx.Response) -> AsyncIterator[bytes]:
        try:
            async with asyncio.timeout(self._timeout_s * PASSED_S):
                async for piece in _bounded(response, PASSED_BYTES):
                    yield piece
        finally:
            await response.aclose()

    def _at(self, path: str) -> httpx.URL:
        return httpx.URL(self.url + quote(path, safe=IN_PATHS))


@asynccontextmanager
async def open_instance(url: str, settings: Settings) -> AsyncIterator[Instance]:
    """The instance at a URL, as long as the block lasts."""
    limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE // 4)
    async with httpx.AsyncClient(
        transport=httpx.AsyncHTTPTransport(limits=limits),
        timeout=settings.mastodon_timeout_s,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        follow_redirects=False,
        trust_env=False,
        headers={"User-Agent": "DiffAM"},
    ) as client:
        yield Instance(url, settings.mastodon_timeout_s, client)


def unreachable(why: str) -> Problem:
    """The answer where the instance gives none."""
    return Problem("instance_unreachable", f"the Mastodon instance cannot be asked: {why}")


async def _bounded(response: httpx.Response, most_bytes: int) -> AsyncIterator[bytes]:
    """Its body as it came. Raises Problem where that is too long."""
    read = 0
    async for piece in response.aiter_raw():
        read += len(piece)
        if read > most_bytes:
            raise unreachable(f"its answer has more than {most_bytes} bytes")
        yield piece


@asynccontextmanager
async def _within(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except (TimeoutError, httpx.TimeoutException) as error:
        raise unreachable(f"it took over {seconds:g} s") from error
    except httpx.HTTPError as error:
        raise unreachable("it cannot be reached") from error
