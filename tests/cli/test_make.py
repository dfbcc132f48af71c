"""A service makes photos for the command line, and keeps nothing of them afterwards."""

from collections.abc import Iterator
from threading import Event

import httpx
import pytest

from cli.errors import RequestFailed, Stopped
from cli.make import make_there
from cli.wishes import read_wish
from tests.cli.conftest import Watched
from tests.cli.stack.test_stack import photo
from tests.people import shot

WISH = read_wish({"reference_id": "rose", "faces": "largest", "strength": "0.5"})
JOBS = list[str]


@pytest.fixture
def jobs() -> JOBS:
    """Ids of the jobs that `client` was given."""
    return []


@pytest.fixture
def client(watched: Watched, jobs: JOBS) -> Iterator[httpx.Client]:
    """A client that remembers its jobs."""

    def note(answer: httpx.Response) -> None:
        if answer.request.method == "POST" and answer.status_code == 202:
            jobs.append(answer.headers["Location"])

    with httpx.Client(base_url=watched.stack.url, timeout=30, event_hooks={"response": [note]}) as opened:
        yield opened


def is_erased(client: httpx.Client, job: str) -> bool:
    return client.get(job).status_code == 410


def test_a_photo_comes_back_from_a_service_that_then_forgets_it(client: httpx.Client, jobs: JOBS) -> None:
    stages: list[str] = []
    (picture,) = make_there(client, WISH, Event())(shot(0, 0, 96), "ada", lambda at: stages.append(at.stage))
    assert picture.photo.startswith(b"\x89PNG")
    assert (picture.reference, picture.target, picture.strength) == ("rose", "ada", 0.5)
    assert picture.bundle == {"name": "mini", "grade": "demonstration"}
    assert "invert" in stages
    assert [is_erased(client, job) for job in jobs] == [True]


def test_a_photo_that_fails_is_told_with_its_code_and_forgotten_too(client: httpx.Client, jobs: JOBS) -> None:
    with pytest.raises(RequestFailed) as refused:
        make_there(client, WISH, Event())(photo("black"), "ada", lambda *_: None)
    assert (refused.value.code, [is_erased(client, job) for job in jobs]) == ("no_face_found", [True])


def test_who_stops_waits_for_no_job_and_leaves_none(client: httpx.Client, jobs: JOBS) -> None:
    stop = Event()
    with pytest.raises(Stopped):
        make_there(client, WISH, stop)(shot(0, 0, 96), "ada", lambda *_: stop.set())
    assert [is_erased(client, job) for job in jobs] == [True]
