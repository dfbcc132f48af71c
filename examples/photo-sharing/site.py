"""A small photo-sharing site that never sees an unprotected face, unless its owner wants it to.

`python examples/photo-sharing/site.py` starts it, and a DiffAM service beside it; `--service URL` uses one that runs.
The posts are in memory and gone when it stops.
"""

import argparse
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from os import environ
from pathlib import Path
from typing import Annotated

import httpx
import uvicorn
from fastapi import FastAPI, File, Form, HTTPException, Response, UploadFile
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader

HERE = Path(__file__).parent
FEED = Environment(loader=FileSystemLoader(HERE), autoescape=True).get_template("feed.html.j2")
SHOWN = {"image/jpeg", "image/png", "image/webp"}
READY_S = 180


@dataclass(frozen=True)
class Post:
    """What somebody shared. photos: each with its media type."""

    author: str
    text: str
    photos: list[tuple[bytes, str]]
    at: datetime


def create_site(service: str, key: str = "") -> FastAPI:
    """The site; visitors' browsers get the widget, and send photos to be protected, at `service`."""
    site, posts = FastAPI(docs_url=None, redoc_url=None, openapi_url=None), list[Post]()
    policy = (
        f"default-src 'self'; script-src {service}; connect-src {service}; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )

    @site.get("/")
    def feed() -> Response:
        html = FEED.render(service=service, key=key, posts=list(reversed(list(enumerate(posts)))))
        return HTMLResponse(html, headers={"Content-Security-Policy": policy})

    @site.get("/style.css")
    def style() -> Response:
        return FileResponse(HERE / "style.css")

    @site.post("/posts")
    def share(
        photos: Annotated[list[UploadFile], File()],
        author: Annotated[str, Form(max_length=40)],
        text: Annotated[str, Form(max_length=280)] = "",
    ) -> Response:
        if any(photo.content_type not in SHOWN for photo in photos):
            raise HTTPException(415, "photos are JPEG, PNG or WebP")
        sent = [(photo.file.read(), str(photo.content_type)) for photo in photos]
        posts.append(Post(author, text, sent, datetime.now()))
        return RedirectResponse("/", status_code=303)

    @site.get("/posts/{post}/{photo}")
    def picture(post: int, photo: int) -> Response:
        if not (0 <= post < len(posts) and 0 <= photo < len(posts[post].photos)):
            raise HTTPException(404)
        data, media_type = posts[post].photos[photo]
        return Response(data, media_type=media_type, headers={"X-Content-Type-Options": "nosniff"})

    return site


@contextmanager
def own_service(origins: list[str]) -> Iterator[str]:
    """`diffam up` at a free port, for pages of these origins: its address, once it works."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("diffam")), "up", "--port", str(port)]
    with subprocess.Popen(command, env=environ | {"DIFFAM_ALLOWED_ORIGINS": json.dumps(origins)}) as up:
        try:
            deadline = time.monotonic() + READY_S
            while not is_ready(f"http://127.0.0.1:{port}"):
                if up.poll() is not None or time.monotonic() > deadline:
                    sys.exit("The service did not start; what it said stands above.")
                time.sleep(0.5)
            yield f"http://127.0.0.1:{port}"
        finally:
            up.terminate()


def is_ready(service: str) -> bool:
    """Whether a service answers there and has a worker."""
    try:
        return httpx.get(f"{service}/readyz").is_success
    except httpx.TransportError:
        return False


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description="A small photo-sharing site that uses DiffAM's widget.")
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--service", help="a DiffAM service that runs; its DIFFAM_ALLOWED_ORIGINS must name this site")
    parser.add_argument("--key", default="", help="of the scope `public`, where that service asks for one")
    asked = parser.parse_args()
    origins = [f"http://{name}:{asked.port}" for name in ("localhost", "127.0.0.1")]
    with nullcontext(asked.service) if asked.service else own_service(origins) as service:
        site = create_site(service.rstrip("/"), asked.key)
        uvicorn.run(site, host="127.0.0.1", port=asked.port, access_log=False)


if __name__ == "__main__":
    main()
