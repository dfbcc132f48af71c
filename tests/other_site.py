"""Somebody else's site: forms that know nothing of the widget but its attribute, and a record of what they sent."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

PAGE = """<!doctype html>
<html lang="{lang}"><head><meta charset="utf-8"><title>Elsewhere</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<script src="{service}/widget.js"></script><script src="/{name}.js" defer></script>
<link rel="stylesheet" href="/hostile.css"></head>
<body><main><h1>Elsewhere</h1><form method="post" action="/posts" enctype="multipart/form-data">
<label>Photos <input id="photo" type="file" name="photo" required {attributes}></label>
<label>Caption <input name="caption" value="hello"></label>
<button id="post">Post</button></form></main></body></html>"""

FETCHES = """document.querySelector("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    await fetch("/posts", {method: "POST", body: new FormData(event.target)});
    document.body.dataset.sent = "yes";
});"""
UPLOADS_AT_ONCE = """window.seen = [];
for (const type of ["input", "change"]) document.addEventListener(type, async ({target}) => {
    if (target.type !== "file") return;
    window.seen.push([type, target.files.length]);
    if (type === "input") return;
    const form = new FormData();
    for (const file of target.files) form.append("photo", file);
    if (target.files.length) await fetch("/posts", {method: "POST", body: form});
}, true);"""
SUBMITS = """document.getElementById("photo").addEventListener("change", ({target}) => target.form.submit());"""
SCRIPTS = {"plain": "", "fetches": FETCHES, "uploads": UPLOADS_AT_ONCE, "submits": SUBMITS}
HOSTILE = """* { all: unset; font: 9px serif !important; } button, dialog, div, h2 { display: none; color: red; }
body, main, form, label, input, #post, h1 { display: block; }"""
"""A style that would break whatever it reached."""


@dataclass
class Site:
    """Where it is, and what reached it: the files of every form, by name, with their SHA-256."""

    port: int
    posts: list[list[tuple[str, str]]] = field(default_factory=list)

    @property
    def origin(self) -> str:
        """The one that the service is told to allow; by its number, the same site is another origin."""
        return f"http://localhost:{self.port}"

    def digests(self) -> list[str]:
        """Of all files that reached it, in their order."""
        return [digest for post in self.posts for _, digest in post]

    def wait_for(self, posts: int, timeout_s: float = 60) -> None:
        """Return once so many forms have come."""
        deadline = time.monotonic() + timeout_s
        while len(self.posts) < posts:
            assert time.monotonic() < deadline, f"{len(self.posts)} of {posts} forms came"
            time.sleep(0.05)


@contextmanager
def other_site(listener: socket.socket, service: str) -> Iterator[Site]:
    """Serve it on that socket. Its policy allows its own files and the service's, and no style in the document."""
    site = Site(listener.getsockname()[1])
    policy = (
        f"default-src 'none'; script-src 'self' {service}; connect-src 'self' {service}; style-src 'self'; "
        "form-action 'self'; base-uri 'none'; require-trusted-types-for 'script'"
    )

    async def page(request: Request) -> Response:
        values = {"reference": "rose"} | dict(request.query_params)
        attributes = " ".join(f'data-diffam-{name}="{value}"' for name, value in values.items() if name != "lang")
        attributes += " multiple" if "multiple" in values else ""
        lang = values.get("lang", "en")
        html = PAGE.format(name=request.path_params["name"], service=service, attributes=attributes, lang=lang)
        return HTMLResponse(html, headers={"Content-Security-Policy": policy, "Cache-Control": "no-store"})

    async def script(request: Request) -> Response:
        return Response(SCRIPTS[request.path_params["name"]], media_type="text/javascript")

    async def style(_: Request) -> Response:
        return Response(HOSTILE, media_type="text/css")

    async def receive(request: Request) -> Response:
        async with request.form() as form:
            files = [each for _, each in form.multi_items() if isinstance(each, UploadFile) and each.filename]
            site.posts.append([(str(each.filename), sha256(await each.read()).hexdigest()) for each in files])
        return HTMLResponse("<!doctype html><title>Thanks</title><p id=thanks>Thanks", 200)

    app = Starlette(
        routes=[
            Route("/hostile.css", style), Route("/{name}.js", script), Route("/posts", receive, methods=["POST"]),
            Route("/{name}", page),
        ]
    )  # fmt: skip
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
    thread.start()
    try:
        yield site
    finally:
        server.should_exit = True
        thread.join()
