"""A service makes photos for the command line, and keeps nothing of them afterwards."""

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from PIL import Image
from typer.testing import CliRunner

from cli.album.protect import targets_of
from cli.errors import CliError, Stopped
from cli.main import app
from cli.make import make_there, service_at
from cli.wishes import read_wish
from diffam_client import Client, JobFailed, NotThere
from tests.cli.conftest import Watched
from tests.cli.stack.test_stack import photo
from tests.people import shot

WISH = read_wish({"reference_id": "rose", "faces": "largest", "strength": "0.5"})


@pytest.fixture
def stop() -> Event:
    """What Ctrl-C sets."""
    return Event()


@pytest.fixture
def client(watched: Watched, stop: Event, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """The client of the command line."""
    monkeypatch.delenv("DIFFAM_API_KEY", raising=False)
    with service_at(watched.stack.url, watched.settings, stop) as opened:
        yield opened


@pytest.fixture
def no_job_is_left(watched: Watched) -> Iterator[None]:
    """The test leaves no job behind."""
    before = {job.id for job in watched.api.jobs()}
    yield
    assert {job.id for job in watched.api.jobs()} <= before


@pytest.mark.usefixtures("no_job_is_left")
def test_a_photo_comes_back_from_a_service_that_then_forgets_it(client: Client, stop: Event) -> None:
    stages: list[str] = []
    (picture,) = make_there(client, WISH, stop)(shot(0, 0, 96), "ada", lambda at: stages.append(at.stage))
    assert picture.photo.startswith(b"\x89PNG")
    assert (picture.reference, picture.target, picture.strength) == ("rose", "ada", 0.5)
    assert picture.bundle == {"name": "mini", "grade": "demonstration"}
    assert set(picture.seconds) == {"invert", "make_up", "composite", "score"}
    assert "invert" in stages


@pytest.mark.usefixtures("no_job_is_left")
def test_a_photo_that_fails_is_told_with_its_code_and_forgotten_too(client: Client, stop: Event) -> None:
    with pytest.raises(JobFailed) as failed:
        make_there(client, WISH, stop)(photo("black"), "ada", lambda *_: None)
    assert failed.value.code == "no_face_found"
    with pytest.raises(NotThere, match="erased_job"):
        client.get(failed.value.job)


@pytest.mark.usefixtures("no_job_is_left")
def test_who_stops_waits_for_no_job_and_leaves_none(client: Client, stop: Event) -> None:
    with pytest.raises(Stopped):
        make_there(client, WISH, stop)(shot(0, 0, 96), "ada", lambda *_: stop.set())


def test_the_targets_of_a_look_are_those_it_has_a_style_for(client: Client) -> None:
    assert targets_of(client, "rose") == ["ada"]
    with pytest.raises(CliError, match="unknown_reference"):
        targets_of(client, "tulip")


@pytest.mark.parametrize("server", ["here", "ftp://127.0.0.1"])
def test_what_is_no_address_is_said_with_the_option(watched: Watched, stop: Event, server: str) -> None:
    with pytest.raises(CliError, match="--server: a service has a URL"):
        service_at(server, watched.settings, stop)


@pytest.mark.usefixtures("no_job_is_left")
def test_a_single_photo_is_made_by_a_service_too(watched: Watched, tmp_path: Path) -> None:
    (tmp_path / "me.png").write_bytes(shot(0, 0, 96))
    words = ["protect", str(tmp_path / "me.png"), "--reference", "rose", "--candidates", "2", "--json"]
    said = CliRunner().invoke(app, [*words, "--server", watched.stack.url, "--out", str(tmp_path / "out.webp")])
    assert said.exit_code == 0, said.output
    facts = json.loads(said.stdout)
    assert (facts["target"], len(facts["candidates"]), facts["bundle"]["name"]) == ("ada", 2, "mini")
    for name in ("out.webp", "out-2.webp"):
        with Image.open(tmp_path / name) as picture:
            assert (picture.format, picture.size) == ("WEBP", (96, 96))


def test_what_a_service_refuses_is_told_with_its_code(watched: Watched, tmp_path: Path) -> None:
    (tmp_path / "me.png").write_bytes(shot(0, 0, 96))
    words = ["protect", str(tmp_path / "me.png"), "--reference", "tulip", "--out", str(tmp_path / "out.png")]
    said = CliRunner().invoke(app, [*words, "--server", watched.stack.url])
    assert said.exit_code == 1
    assert "unknown_reference: no reference 'tulip'" in said.output
