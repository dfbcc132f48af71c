"""A Mastodon instance for tests: a real HTTP server that speaks the documented API, as far as posting pictures goes."""

import asyncio
import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

TOKEN, STRANGER, READER = "token-of-ada", "token-of-bob", "token-that-may-only-read"
VERSION = "4.5.0"
INVALID = JSONResponse({"error": "The access token is invalid"}, 401)
NOT_FOUND = JSONResponse({"error": "Record not found"}, 404)


@dataclass
class Media:
    """An attachment. looks_left: so many times it is still being processed."""

    id: str
    owner: str
    content: bytes
    media_type: str
    file_name: str
    description: str | None
    focus: str | None
    looks_left: int = 0

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def told(self) -> dict[str, Any]:
        x, y = (float(each) for each in (self.focus or "0,0").split(","))
        url = None if self.looks_left else f"https://files.example/{self.id}"
        return {
            "id": self.id, "type": "image", "url": url, "preview_url": f"https://files.example/{self.id}/small",
            "remote_url": None, "text_url": None, "meta": {"focus": {"x": x, "y": y}},
            "description": self.description, "blurhash": None,
        }  # fmt: skip


@dataclass
class Instance:
    """What it holds, and how it behaves."""

    port: int = 0
    looks: int = 0
    refuses: JSONResponse | None = None
    takes_s: float = 0
    media: dict[str, Media] = field(default_factory=dict)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def digests(self) -> set[str]:
        return {each.sha256 for each in self.media.values()}

    def holds(self, content: bytes) -> bool:
        """Whether any request ever brought these bytes."""
        return any(content in body for *_, body in self.asked)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/api/v1/instance/", self.about),  # as Mastodon.py spells it, and Rails reads it
                Route("/api/v2/instance/", self.about),
                Route("/api/v2/media", self.upload, methods=["POST"]),
                Route("/api/v1/media/{id}", self.attachment, methods=["GET", "PUT", "DELETE"]),
                Route("/api/v1/statuses", self.post, methods=["POST"]),
                Route("/api/v1/statuses/{id}", self.post, methods=["PUT"]),
                Route("/api/v1/timelines/home", self.home),
                Route("/api/v1/accounts/update_credentials", self.profile, methods=["PATCH"]),
                Route("/api/v1/apps", self.register, methods=["POST"]),
                Route("/oauth/token", self.token, methods=["POST"]),
                Route("/api/v1/moved", lambda _: RedirectResponse("http://127.0.0.1:1/elsewhere")),
                Route("/api/v1/endless", self.endless),
            ]
        )

    async def seen(self, request: Request) -> str | None:
        """Note the request; who asks, if the token is one to upload with."""
        headers = dict(request.headers)
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        self.asked.append((request.method, target, headers, await request.body()))
        told = headers.get("authorization", "").removeprefix("Bearer ")
        return told if told in (TOKEN, STRANGER) else None

    async def about(self, request: Request) -> Response:
        await self.seen(request)
        told = {"uri": "social.example", "domain": "social.example", "version": VERSION}
        return JSONResponse(told | {"api_versions": {"mastodon": 7}})

    async def upload(self, request: Request) -> Response:
        owner = await self.seen(request)
        if owner is None:
            return INVALID
        if self.refuses:
            return self.refuses
        await asyncio.sleep(self.takes_s)
        number = str(114_000_000_000_000_000 + len(self.media))
        async with request.form() as form:
            file = form["file"]
            assert isinstance(file, UploadFile)
            told = {name: str(form[name]) if form.get(name) else None for name in ("description", "focus")}
            content, kind, name = await file.read(), str(file.content_type), str(file.filename)
        media = Media(number, owner, content, kind, name, told["description"], told["focus"], self.looks)
        self.media[number] = media
        return JSONResponse(media.told(), 202 if media.looks_left else 200)

    async def attachment(self, request: Request) -> Response:
        owner = await self.seen(request)
        if owner is None:
            return INVALID
        media = self.media.get(request.path_params["id"])
        if media is None or media.owner != owner:
            return NOT_FOUND
        if request.method == "DELETE":
            del self.media[media.id]
            return JSONResponse({})
        if request.method == "PUT":
            form = await request.form()
            media.description = str(form.get("description") or media.description)
            media.focus = str(form.get("focus") or media.focus or "0,0")
        elif media.looks_left:
            media.looks_left -= 1
        return JSONResponse(media.told(), 206 if media.looks_left else 200)

    async def post(self, request: Request) -> Response:
        owner = await self.seen(request)
        if owner is None:
            return INVALID
        if request.headers["content-type"] == "application/json":
            said = await request.json()
            text, ids = said["status"], said.get("media_ids", [])
        else:
            form = await request.form()
            text, ids = form["status"], [*form.getlist("media_ids[]"), *form.getlist("media_ids")]
        found = [self.media[each] for each in ids if each in self.media]
        if len(found) < len(ids) or any(each.looks_left for each in found):
            return JSONResponse({"error": "Validation failed: these media are not there, or not yet"}, 422)
        status = {
            "id": str(len(self.statuses)), "content": text, "media_attachments": [each.told() for each in found],
            "visibility": "public", "uri": "", "url": None, "account": {"id": "1", "acct": "ada"},
        }  # fmt: skip
        self.statuses.append(status)
        return JSONResponse(status)

    async def home(self, request: Request) -> Response:
        if await self.seen(request) is None:
            return INVALID
        following = f'<{self.url}/api/v1/timelines/home?max_id=1>; rel="next"'
        return JSONResponse([], headers={"Link": following, "X-RateLimit-Remaining": "299", "Set-Cookie": "session=1"})

    async def profile(self, request: Request) -> Response:
        owner = await self.seen(request)
        return JSONResponse({"id": "1", "acct": "ada"}) if owner else INVALID

    async def register(self, request: Request) -> Response:
        await self.seen(request)
        form = await request.form()
        return JSONResponse({"id": "1", "name": form["client_name"], "client_id": "client", "client_secret": "secret"})

    async def token(self, request: Request) -> Response:
        await self.seen(request)
        form = await request.form()
        if (form.get("client_id"), form.get("client_secret"), form.get("code")) != ("client", "secret", "the-code"):
            return JSONResponse({"error": "invalid_grant"}, 400)
        return JSONResponse({"access_token": TOKEN, "scope": "read write", "created_at": 0, "token_type": "Bearer"})

    async def endless(self, request: Request) -> Response:
        await self.seen(request)

        def body() -> Iterator[bytes]:
            while True:
                yield b" " * 65536

        return StreamingResponse(body(), media_type="application/json")


@contextmanager
def instance_running() -> Iterator[Instance]:
    """An instance until the block ends."""
    instance = Instance()
    server = uvicorn.Server(
        uvicorn.Config(instance.app(), port=0, log_level="error", ws="none", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    instance.port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield instance
    finally:
        server.should_exit = True
        thread.join()
