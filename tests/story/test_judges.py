"""A service with recognisers that people run: they are asked for by name, and stand in the report. Over real HTTP."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import httpx
import pytest

from cli.stack.stack import running_stack
from diffam_client import Client
from jobs.settings import Settings
from model_store.recognisers import Judges
from tests.story.conftest import face_of, followed

pytestmark = pytest.mark.xdist_group("shipped")
ASKED = ("dlib", "sface")


@pytest.fixture(scope="module")
def client(judges: Judges, judges_shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Of a service that opens every recogniser that could be had; skips where those asked for could not."""
    if missing := set(ASKED) - judges.recognisers.keys():
        pytest.skip(f"cannot be had here: {', '.join(sorted(missing))}")
    data_dir = tmp_path_factory.mktemp("judged")
    settings = Settings(_env_file=None, redis_url=None, data_dir=data_dir, bundles_dir=judges_shelf, port=0)
    with running_stack(settings, print) as stack, httpx.Client(base_url=stack.url, timeout=60) as opened:
        stack.wait_until_ready()
        yield opened


@pytest.fixture(scope="module")
def upload() -> bytes:
    """Grace Hopper, public domain, as matplotlib ships her."""
    return files("matplotlib").joinpath("mpl-data/sample_data/grace_hopper.jpg").read_bytes()


def ask(client: httpx.Client, upload: bytes, judges: str) -> httpx.Response:
    fields = {"reference_id": "rose", "target_id": "aurora", "judges": judges}
    return client.post("/v1/jobs", data=fields, files={"photo": ("hopper.jpg", upload)})


def test_those_that_are_asked_for_judge_the_photo_and_the_verdict_rests_on_them(
    client: httpx.Client, judges: Judges, upload: bytes
) -> None:
    answer = ask(client, upload, ",".join(ASKED))
    assert answer.status_code == 202, answer.text
    with Client(str(client.base_url)) as api:
        face = face_of(followed(api, answer.json()["id"]))
    rows = {row.name: row for row in face.judges}
    assert set(rows) == set(ASKED)
    for name, row in rows.items():
        card = judges.cards[name]
        assert row.stands_for == card.stands_for
        assert row.threshold == card.threshold
        assert row.own_match < 0.999
        assert row.dodged == (row.own_match < card.threshold)
    hidden = sum(row.dodged for row in rows.values())
    assert face.verdict.word == {2: "strong", 1: "partial", 0: "weak"}[hidden]


def test_one_that_is_not_here_is_refused_with_the_names_of_those_that_are(
    client: httpx.Client, judges: Judges, upload: bytes
) -> None:
    answer = ask(client, upload, "dlib,nobody")
    assert (answer.status_code, answer.json()["code"]) == (422, "judge_missing")
    assert answer.json()["param"] == "judges"
    assert all(name in answer.json()["detail"] for name in ("nobody", *judges.recognisers))
