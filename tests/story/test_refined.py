"""A service whose models refine faces on recognisers that people run: chosen by itself, asked over real HTTP."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import httpx
import pytest

from cli.stack.stack import running_stack
from diffam_client import Client, Job
from jobs.settings import Settings
from model_store.judges import FOLDER
from model_store.recognisers import Judges
from tests.story.conftest import face_of, followed
from tests.thin_portrait import write_thin_portrait

pytestmark = pytest.mark.xdist_group("shipped")
ATTACKED = ("faceplugin", "mobilefacenet")
JUDGING = ("dlib", *ATTACKED)


@pytest.fixture(scope="module")
def client(judges: Judges, judges_shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Of a service that may choose its bundle; skips where a recogniser could not be had."""
    if missing := set(JUDGING) - judges.recognisers.keys():
        pytest.skip(f"cannot be had here: {', '.join(sorted(missing))}")
    shelf = tmp_path_factory.mktemp("refined")
    write_thin_portrait(shelf / "portrait")
    (shelf / FOLDER).symlink_to(judges_shelf / FOLDER, target_is_directory=True)
    settings = Settings(
        _env_file=None,
        redis_url=None,
        data_dir=shelf / "data",
        bundles_dir=shelf,
        port=0,
        bundle="auto",
        judges=JUDGING,
    )
    with running_stack(settings, print) as stack, httpx.Client(base_url=stack.url, timeout=60) as opened:
        stack.wait_until_ready()
        yield opened


def ask(client: httpx.Client, **fields: str) -> httpx.Response:
    """Grace Hopper, public domain, as matplotlib ships her."""
    photo = files("matplotlib").joinpath("mpl-data/sample_data/grace_hopper.jpg").read_bytes()
    return client.post("/v1/jobs", data={"reference_id": "rose", **fields}, files={"photo": ("hopper.jpg", photo)})


def finished(client: httpx.Client, answer: httpx.Response) -> Job:
    """The job of an answer, at its good end."""
    with Client(str(client.base_url)) as api:
        return followed(api, answer.json()["id"])


def test_a_photo_is_refined_and_the_report_names_who_was_attacked_and_who_only_judged(client: httpx.Client) -> None:
    answer = ask(client)
    assert answer.status_code == 202, answer.text
    job = finished(client, answer)
    assert job.bundle.name == "portrait"
    assert (job.timings.stages_s or {})["refine"] > 0
    face = face_of(job)
    assert (face.target, face.recognisers) == (None, [])
    roles = {row.name: row.role for row in face.judges}
    assert roles == {"dlib": "held_out"} | dict.fromkeys(ATTACKED, "surrogate")
    assert "dlib" in face.verdict.sentence


def test_a_quick_result_towards_a_target_nobody_trained_for_is_measured_and_not_refined(client: httpx.Client) -> None:
    answer = ask(client, target_id="bruno", effort="quick")
    assert answer.status_code == 202, answer.text
    job = finished(client, answer)
    assert "refine" not in (job.timings.stages_s or {})
    face = face_of(job)
    assert face.target == "bruno"
    assert {row.name for row in face.judges} == set(JUDGING)


def test_every_target_is_on_offer_with_every_look_that_has_make_up(client: httpx.Client) -> None:
    targets = [row["id"] for row in client.get("/v1/targets").json()["targets"]]
    looks = {row["id"]: row["targets"] for row in client.get("/v1/references").json()["references"]}
    assert looks == {"rose": targets, "ember": targets, "lagoon": []}
