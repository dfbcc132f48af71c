"""From an uploaded picture to a protected photo in the new look, over real HTTP, on a short schedule."""

import os
import signal
from collections.abc import Iterator
from io import BytesIO
from time import sleep
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
from PIL import Image

from cli.stack.stack import Stack, running_stack
from diffam_client import BadRequest, Client, Conflict, Job, JobFailed
from diffam_client.contract.job import Output
from diffam_client.contract.report import Progress
from jobs.settings import Settings
from model_store.catalog import BUNDLES
from tests.story.conftest import followed, made
from tests.story.recording import stale
from tests.story.test_journey import pixels
from tests.story.tour import of_looks

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


@pytest.fixture(scope="module")
def api(stack: Stack) -> Iterator[Client]:
    with Client(stack.url) as opened:
        yield opened


def add(client: httpx.Client, name: str, picture: bytes, bare: bytes | None = None, **fields: Any) -> httpx.Response:
    files = {"picture": ("look.png", picture)} | ({"bare": ("bare.png", bare)} if bare else {})
    return client.post("/v1/references", data={"reference_id": name} | fields, files=files)


@pytest.fixture(scope="module")
def answers(client: httpx.Client) -> dict[str, Any]:
    """What was said as `dusk` was added."""
    return dict(of_looks(client, "dusk"))


@pytest.fixture(scope="module")
def dusk(api: Client, answers: dict[str, Any]) -> Job:
    """A look of our own, added from a picture; its bare twin is made by removal."""
    return followed(api, answers["reference_queued"]["id"])


def test_the_examples_of_the_document_are_what_the_service_answers(answers: dict[str, Any]) -> None:
    assert stale(answers) == []


def in_training(api: Client, job_id: str) -> Progress:
    """How far it is, once it is in its second stage and has seen enough of it to say when it will end."""
    for event in api.events(job_id):
        progress = event.progress
        if progress and "impersonate" in (progress.losses or {}) and progress.eta_s is not None:
            return progress
    raise AssertionError("it ended untrained")


def trainer(stack: Stack) -> psutil.Process:
    """The spawned process that trains."""
    family = psutil.Process(stack.supervisor.pid("finetune")).children(recursive=True)
    return max(family, key=lambda process: process.cpu_times().user)


def test_a_style_that_nobody_trained_is_refused_with_the_call_that_would(api: Client, dusk: Job, scene: bytes) -> None:
    assert dusk.kind == "finetune"
    assert made(dusk).reference_id == "dusk"
    with pytest.raises(BadRequest, match=r"style_not_trained.*POST /v1/references/dusk/finetune"):
        api.submit(scene, reference="dusk", target="bruno")


def test_a_new_look_is_trained_while_photos_flow_and_then_worn_without_a_restart(
    stack: Stack, client: httpx.Client, api: Client, dusk: Job, scene: bytes
) -> None:
    assert dusk.status == "succeeded"
    worker = stack.supervisor.pid("worker")
    job_id = api.fine_tune("dusk", "bruno", "ir152").id
    progress = in_training(api, job_id)
    assert {"histogram", "impersonate", "dodge"} <= set(progress.losses or {})
    assert (progress.eta_s or 0) > 0
    seen = client.get("/v1/admin").json()
    (told,), (training,) = seen["workers"], seen["trainings"]
    assert (told["facts"]["bundle"], told["facts"]["device"], told["facts"]["version"]) == (
        "mini",
        "cpu",
        seen["version"],
    )
    assert (training["reference_id"], training["target_id"], training["progress"]["steps"]) == ("dusk", "bruno", 16)
    assert training["curve"][-1]["terms"].keys() >= {"histogram", "impersonate", "dodge"}
    sheet = client.get(training["sheet"]["url"])
    assert Image.open(BytesIO(sheet.content)).size == (4 * 64, 2 * 64)
    between = api.submit(scene, reference="rose")
    os.kill(trainer(stack).pid, signal.SIGKILL)
    followed(api, between)
    assert api.get(job_id).status in ("queued", "running")  # the photo did not wait
    done = followed(api, job_id)
    assert done.output == Output(reference_id="dusk", target_id="bruno")
    assert done.attempt == 2
    offers = {row["id"]: row for row in client.get("/v1/references").json()["references"]}
    assert offers["dusk"]["title"] == "Dusk"
    assert offers["dusk"]["targets"] == ["bruno"]
    photo = api.protect(scene, reference="dusk", target="bruno").photo
    changed = np.abs(pixels(photo) - pixels(scene))
    assert changed.max() > 20
    assert stack.supervisor.pid("worker") == worker
    again = client.post("/v1/references/dusk/finetune", json=ORDER)
    assert (again.status_code, again.json()["code"]) == (409, "style_exists")


def test_a_training_that_is_canceled_stops_and_leaves_no_style(api: Client, dusk: Job) -> None:
    assert dusk.status == "succeeded"
    job_id = api.fine_tune("dusk", "celia", "ir152", mode="lora").id
    in_training(api, job_id)
    assert api.cancel(job_id).status == "canceled"
    with pytest.raises(Conflict, match="job_over"):
        api.cancel(job_id)
    sleep(2)
    (row,) = [row for row in api.references() if row.id == "dusk"]
    assert "celia" not in row.targets


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
    client: httpx.Client, dusk: Job, change: dict[str, Any], status: int, code: str
) -> None:
    assert dusk.status == "succeeded"
    answer = client.post("/v1/references/dusk/finetune", json={"target_id": "aurora", "held_out": "ir152"} | change)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_look_with_its_twin_is_added_and_goes_again_and_a_bare_face_fails_with_the_reason(api: Client) -> None:
    dawn = api.add_reference("dawn", LOOK / "look.png", LOOK / "bare.png")
    night = api.add_reference("night", LOOK / "bare.png")
    assert made(followed(api, dawn)).reference_id == "dawn"
    with pytest.raises(JobFailed, match="reference_without_makeup"):
        followed(api, night)
    api.remove_reference("dawn")
    assert "dawn" not in {look.id for look in api.references()}
    with pytest.raises(Conflict, match="reference_shipped"):
        api.remove_reference("rose")


def test_a_look_for_which_there_is_no_reference_is_not_found(client: httpx.Client) -> None:
    assert client.post("/v1/references/nowhere/finetune", json=ORDER).status_code == 404


def test_names_that_are_taken_or_odd_are_refused_at_once(client: httpx.Client) -> None:
    picture = (LOOK / "look.png").read_bytes()
    assert add(client, "rose", picture).json()["code"] == "reference_exists"
    assert add(client, "../rose", picture).json()["code"] == "name_invalid"
    assert client.post("/v1/references", data={"reference_id": "x"}).json()["code"] == "media_type_unsupported"
