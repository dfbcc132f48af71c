"""A Bluesky server for tests: real HTTP, and of the documented calls the three that post a picture.

What is sent is held to the lexicons of com.atproto and app.bsky (github.com/bluesky-social/atproto).
"""

import base64
import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal

import uvicorn
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

HANDLE, APP_PASSWORD, DID, TOKEN = "ada.example.org", "abcd-efgh-ijkl-mnop", "did:plc:ada", "access-jwt-of-ada"
MAX_IMAGE_BYTES = 2_000_000
Positive = Annotated[int, Field(ge=1)]


class Lexicon(BaseModel):
    """Nothing may be missing, nothing may be more."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Link(Lexicon):
    cid: str = Field(alias="$link")


class Blob(Lexicon):
    type: Literal["blob"] = Field(alias="$type")
    ref: Link
    media_type: str = Field(alias="mimeType", pattern="^image/")
    size: Positive


class AspectRatio(Lexicon):
    width: Positive
    height: Positive


class Image(Lexicon):
    image: Blob
    alt: str
    ratio: AspectRatio | None = Field(None, alias="aspectRatio")


class Images(Lexicon):
    type: Literal["app.bsky.embed.images"] = Field(alias="$type")
    images: Annotated[list[Image], Field(min_length=1, max_length=4)]


class Post(Lexicon):
    type: Literal["app.bsky.feed.post"] = Field(alias="$type")
    text: Annotated[str, Field(max_length=300)]
    created_at: Annotated[str, Field(alias="createdAt", pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")]
    embed: Images


class Record(Lexicon):
    repo: Literal["did:plc:ada"]
    collection: Literal["app.bsky.feed.post"]
    record: Post


def refusal(status: int, error: str, message: str) -> Response:
    """As XRPC says no."""
    return JSONResponse({"error": error, "message": message}, status)


@dataclass
class Server:
    """What it was given: blobs by their content's address, and posts."""

    port: int = 0
    blobs: dict[str, bytes] = field(default_factory=dict)
    posts: list[Post] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def app(self) -> Starlette:
        calls = {
            "com.atproto.server.createSession": self.create_session,
            "com.atproto.repo.uploadBlob": self.upload_blob,
            "com.atproto.repo.createRecord": self.create_record,
        }
        return Starlette(routes=[Route(f"/xrpc/{name}", call, methods=["POST"]) for name, call in calls.items()])

    async def create_session(self, request: Request) -> Response:
        if await request.json() != {"identifier": HANDLE, "password": APP_PASSWORD}:
            return refusal(401, "AuthenticationRequired", "Invalid identifier or password")
        return JSONResponse({"did": DID, "handle": HANDLE, "accessJwt": TOKEN, "refreshJwt": "refresh-jwt"})

    async def upload_blob(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return refusal(401, "AuthMissing", "Authentication Required")
        if "content-type" not in request.headers:
            return refusal(400, "InvalidRequest", "Request encoding (Content-Type) required but not provided")
        content = await request.body()
        multihash = b"\x01\x55\x12\x20" + hashlib.sha256(content).digest()  # CID v1, raw, SHA-256
        cid = "b" + base64.b32encode(multihash).decode().lower().rstrip("=")
        self.blobs[cid] = content
        told = {"ref": {"$link": cid}, "mimeType": request.headers["content-type"], "size": len(content)}
        return JSONResponse({"blob": {"$type": "blob", **told}})

    async def create_record(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return refusal(401, "AuthMissing", "Authentication Required")
        try:
            post = Record.model_validate(await request.json()).record
            datetime.fromisoformat(post.created_at)
        except (ValidationError, ValueError) as error:
            return refusal(400, "InvalidRequest", str(error))
        for image in post.embed.images:
            if image.image.size != len(self.blobs.get(image.image.ref.cid, b"")):
                return refusal(400, "BlobNotFound", f"Could not find blob: {image.image.ref.cid}")
            if image.image.size > MAX_IMAGE_BYTES:
                return refusal(400, "BlobTooLarge", "This file is too large.")
        self.posts.append(post)
        return JSONResponse({"uri": f"at://{DID}/app.bsky.feed.post/{len(self.posts)}", "cid": "bafyrei"})


@contextmanager
def bluesky_running() -> Iterator[Server]:
    """A server until the block ends."""
    bluesky = Server()
    server = uvicorn.Server(
        uvicorn.Config(bluesky.app(), port=0, log_level="error", ws="none", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    bluesky.port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield bluesky
    finally:
        server.should_exit = True
        thread.join()
