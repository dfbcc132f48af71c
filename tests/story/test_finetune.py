"""From an uploaded picture to a protected photo in the new look, over real HTTP, on a short schedule."""

import os
import signal
from collections.abc import Iterator
from time import monotonic, sleep
from typing import Any

import httpx
import numpy as np
import psutil
import pytest

from cli.client import FinishedJob, Job, fetch, follow, submit
from cli.errors import RequestFailed
from cli.stack.stack import Stack, running_stack
from jobs.settings import Settings
from model_store.catalog import BUNDLES
from tests.story.test_journey import pixels

LOOK = BUNDLES / "mini/references/ember"
ORDER = {"target_id": "bruno", "held_out": "ir152"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A whole service of its own, which trains for a few steps only."""
    settings = Settings(
        _env_file=None, redis_url=None, data_dir=tmp_path_factory.mktemp("finetune"), port=0, lease_s=4,
        reap_every_s=0.5,
        finetune_makeup_steps=4, finetune_steps=12, finetune_photos=4, torch_threads=1,
    )  # fmt: skip
    with running_stack(settings, print) as running:
        running.wait_until_ready()
        yield running


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.url, timeout=60) as opened:
        yield opened


def add(client: httpx.Client, name: str, picture: bytes, bare: bytes | None = None, **fields: Any) -> httpx.Response:
    files = {"picture": ("look.png", picture)} | ({"bare": ("bare.png", bare)} if bare else {})
    return client.post("/v1/references", data={"reference_id": name} | fields, files=files)


@pytest.fixture(scope="module")
def dusk(client: httpx.Client) -> FinishedJob:
    """A look of our own, added from a picture; its bare twin is made by removal."""
    answer = add(client, "dusk", (LOOK / "look.png").read_bytes(), title="Dusk")
    assert answer.status_code == 202, answer.text
    return follow(client, answer.json(), lambda _: None)


def until(client: httpx.Client, job: Job, is_there: Any, patience_s: float = 400) -> Job:
    deadline = monotonic() + patience_s
    while not is_there(job):
        assert monotonic() < deadline, job
        sleep(0.1)
        job = client.get(f"/v1/jobs/{job['id']}").json()
    return job


def is_training(job: Job) -> bool:
    """It is in its second stage, and has seen enough of it to say when it will end."""
    progress = job["progress"] or {}
    return "impersonate" in (progress.get("losses") or {}) and progress["eta_s"] is not None


def trainer(stack: Stack) -> psutil.Process:
    """The spawned process that trains."""
    family = psutil.Process(stack.supervisor.pid("finetune")).children(recursive=True)
    return max(family, key=lambda process: process.cpu_times().user)


def test_a_style_that_nobody_trained_is_refused_with_the_call_that_would(
    client: httpx.Client, dusk: FinishedJob, scene: bytes
) -> None:
    assert dusk["kind"] == "finetune"
    assert dusk["output"]["reference_id"] == "dusk"
    with pytest.raises(RequestFailed, match=r"style_not_trained.*POST /v1/references/dusk/finetune"):
        submit(client, scene, "dusk", "bruno")


def test_a_new_look_is_trained_while_photos_flow_and_then_worn_without_a_restart(
    stack: Stack, client: httpx.Client, dusk: FinishedJob, scene: bytes
) -> None:
    assert dusk["status"] == "succeeded"
    worker = stack.supervisor.pid("worker")
    job = client.post("/v1/references/dusk/finetune", json=ORDER).json()
    job = until(client, job, is_training)
    progress = job["progress"] or {}
    assert {"histogram", "impersonate", "dodge"} <= set(progress["losses"])
    assert progress["eta_s"] > 0
    between = submit(client, scene, "rose", None)
    os.kill(trainer(stack).pid, signal.SIGKILL)
    follow(client, between, lambda _: None)
    assert client.get(f"/v1/jobs/{job['id']}").json()["status"] in ("queued", "running")  # the photo did not wait
    done = follow(client, job, lambda _: None)
    made = {"reference_id": "dusk", "target_id": "bruno"}
    assert dict(done["output"]) == {"photo": None, "faces": [], "candidates": [], **made}
    assert done["attempt"] == 2
    offers = {row["id"]: row for row in client.get("/v1/references").json()["references"]}
    assert offers["dusk"]["title"] == "Dusk"
    assert offers["dusk"]["targets"] == ["bruno"]
    photo = follow(client, submit(client, scene, "dusk", "bruno"), lambda _: None)
    changed = np.abs(pixels(fetch(client, photo, "result")) - pixels(scene))
    assert changed.max() > 20
    assert stack.supervisor.pid("worker") == worker
    again = client.post("/v1/references/dusk/finetune", json=ORDER)
    assert (again.status_code, again.json()["code"]) == (409, "style_exists")


def test_a_training_that_is_canceled_stops_and_leaves_no_style(client: httpx.Client, dusk: FinishedJob) -> None:
    assert dusk["status"] == "succeeded"
    order = {"target_id": "celia", "held_out": "ir152"}
    job = until(client, client.post("/v1/references/dusk/finetune", json=order).json(), is_training)
    assert client.post(f"/v1/jobs/{job['id']}/cancel").status_code == 202
    assert client.get(f"/v1/jobs/{job['id']}").json()["status"] == "canceled"
    assert client.post(f"/v1/jobs/{job['id']}/cancel").json()["code"] == "job_over"
    sleep(2)
    (row,) = [row for row in client.get("/v1/references").json()["references"] if row["id"] == "dusk"]
    assert "celia" not in row["targets"]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"target_id": "nobody"}, 422, "unknown_target"),
        ({"held_out": "vit"}, 422, "unknown_recogniser"),
        ({"surrogates": ["ir152", "irse50"]}, 422, "held_out_attacked"),
        ({"mode": "huge"}, 422, "invalid_field"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_at_once(
    client: httpx.Client, dusk: FinishedJob, change: dict[str, Any], status: int, code: str
) -> None:
    assert dusk["status"] == "succeeded"
    answer = client.post("/v1/references/dusk/finetune", json={"target_id": "aurora", "held_out": "ir152"} | change)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_look_with_its_twin_is_added_and_a_bare_face_fails_with_the_reason(client: httpx.Client) -> None:
    look, bare = (LOOK / "look.png").read_bytes(), (LOOK / "bare.png").read_bytes()
    assert follow(client, add(client, "dawn", look, bare).json(), lambda _: None)["output"]["reference_id"] == "dawn"
    with pytest.raises(RequestFailed, match="reference_without_makeup"):
        follow(client, add(client, "night", bare).json(), lambda _: None)


def test_a_look_for_which_there_is_no_reference_is_not_found(client: httpx.Client) -> None:
    assert client.post("/v1/references/nowhere/finetune", json=ORDER).status_code == 404


def test_names_that_are_taken_or_odd_are_refused_at_once(client: httpx.Client) -> None:
    picture = (LOOK / "look.png").read_bytes()
    assert add(client, "rose", picture).json()["code"] == "reference_exists"
    assert add(client, "../rose", picture).json()["code"] == "name_invalid"
    assert client.post("/v1/references", data={"reference_id": "x"}).json()["code"] == "media_type_unsupported"
