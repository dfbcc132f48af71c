"""A real web process on a real port, with a small catalog; the tests play the worker, through the ledger."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from PIL import Image
from redis import Redis

from app.main import create_app
from app.serving.server import Server
from cli.stack.stack import handed_down
from jobs.finished import Protected
from jobs.ledger import Ledger
from jobs.settings import Settings
from tests.finished import FinishedPhoto

MANIFEST = """
name = "small"
grade = "demonstration"
[recognisers.ir50]
[[references]]
id = "rose"
title = "Rose"
description = "Rose lips"
image = "rose.png"
[[references]]
id = "plum"
title = "Plum"
description = "Nobody trained it yet"
image = "missing.png"
[[targets]]
id = "ada"
title = "Ada"
consent = "virtual"
images = ["ada.png"]
[[targets]]
id = "bea"
title = "Bea"
consent = "virtual"
images = ["missing.png"]
[[styles]]
reference = "rose"
target = "ada"
held_out = "ir50"
surrogates = ["vit"]
file = "rose-ada.safetensors"
"""


@pytest.fixture
def protected() -> Protected:
    """What a pipeline hands to `commit`."""
    return FinishedPhoto()


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the bundle `small`: a manifest and two pictures, no weights."""
    folder = tmp_path_factory.mktemp("bundles") / "small"
    folder.mkdir()
    (folder / "bundle.toml").write_text(MANIFEST)
    for name in ("rose.png", "ada.png"):
        Image.new("RGB", (8, 8), "pink").save(folder / name)
    return folder.parent


@pytest.fixture
def settings(settings: Settings, bundles: Path) -> Settings:
    """The test settings, with the small bundle."""
    return settings.model_copy(update={"bundles_dir": bundles, "bundle": "small"})


@pytest.fixture(scope="session")
def jpeg() -> bytes:
    """A plain photo, 96 by 80 pixels."""
    photo = BytesIO()
    Image.effect_noise((96, 80), 50).convert("RGB").save(photo, "JPEG")
    return photo.getvalue()


@contextmanager
def serving(settings: Settings) -> Iterator[httpx.Client]:
    """The web server in a thread, on a port of its own, and a client for it."""
    server = Server(settings.model_copy(update={"port": 0}), create_app)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def serve() -> Callable[[Settings], Any]:
    """Starts a web process with other settings."""
    return serving


@pytest.fixture(scope="session")
def server(redis_url: str, bundles: Path) -> Iterator[httpx.Client]:
    """One web process for all tests that need no special settings."""
    with serving(Settings(_env_file=None, redis_url=redis_url, bundles_dir=bundles, bundle="small")) as client:
        yield client


@pytest.fixture
def client(server: httpx.Client, redis: Redis) -> httpx.Client:
    """A client of the web process, with an empty ledger behind it."""
    redis.ping()
    return server


@pytest.fixture
def post(client: httpx.Client, jpeg: bytes) -> Callable[..., httpx.Response]:
    """Sends a job; keyword arguments replace the photo, the fields or the headers."""

    def send(photo: bytes = jpeg, headers: dict[str, str] | None = None, **fields: str) -> httpx.Response:
        fields = {"reference_id": "rose"} | fields
        return client.post("/v1/jobs", files={"photo": ("me.jpg", photo)}, data=fields, headers=headers)

    return send


@pytest.fixture
def finish(ledger: Ledger, protected: Protected) -> Callable[[str], None]:
    """Plays the worker: claims the job and commits a result."""

    def work(job_id: str) -> None:
        claim = ledger.claim(job_id)
        assert claim is not None
        assert ledger.commit(claim, protected, batch_size=1)

    return work


@dataclass(frozen=True)
class WebProcess:
    """A web process of its own, as the embedded stack starts it."""

    process: "subprocess.Popen[bytes]"
    port: int

    def connect(self) -> socket.socket:
        """A raw connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def rss_bytes(self) -> int:
        """Of the process itself; its decoders are bounded by themselves."""
        return int(psutil.Process(self.process.pid).memory_info().rss)


@contextmanager
def web_process(settings: Settings) -> Iterator[WebProcess]:
    """Serve in a process until the block ends."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        port = listener.getsockname()[1]
        command = [sys.executable, "-m", "cli.stack.web", str(listener.fileno())]
        env = os.environ | handed_down(settings)
        process = subprocess.Popen(command, env=env, pass_fds=[listener.fileno()], stderr=subprocess.DEVNULL)
    with process:
        try:
            httpx.get(f"http://127.0.0.1:{port}/livez", timeout=60).raise_for_status()
            yield WebProcess(process, port)
        finally:
            process.terminate()


def read_to_end(raw: socket.socket) -> bytes:
    """Everything the server says until it hangs up."""
    return b"".join(iter(lambda: raw.recv(65536), b""))


@pytest.fixture(scope="session")
def tall_png() -> bytes:
    """As long as a photo may be, and a pixel longer than a WebP may be."""
    photo = BytesIO()
    Image.new("RGB", (64, 16_384), "teal").save(photo, "PNG")
    return photo.getvalue()
