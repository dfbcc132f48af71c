"""A service makes photos for the command line, and keeps nothing of them afterwards."""

from collections.abc import Iterator
from threading import Event

import httpx
import pytest

from cli.errors import RequestFailed, Stopped
from cli.make import Picture, make_there
from cli.wishes import read_wish
from diffam_client.contract.report import OnProgress, Progress
from tests.cli.conftest import Watched
from tests.cli.stack.test_stack import photo
from tests.finished import protected_face
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


class LaterService:
    """A service of a later version, one job long: it tells of stages and of faces in words that nobody here knows."""

    def __init__(self, progress: object, faces: object) -> None:
        done = {"progress": progress, "output": {"faces": faces}, "timings": {"stages_s": None}}
        worn = {"reference_id": "rose", "target_id": "ada", "strength": 1.0}
        bundle = {"name": "mini", "grade": "demonstration"}
        self.job = {"id": "1", "status": "succeeded", "input": worn, "bundle": bundle} | done
        self.erased = False

    def answer(self, request: httpx.Request) -> httpx.Response:
        """What `httpx.MockTransport` asks for."""
        if request.method == "DELETE":
            self.erased = True
            return httpx.Response(204)
        if request.url.path.endswith("/result"):
            return httpx.Response(200, content=b"photo")
        return httpx.Response(202, json=self.job)

    def make(self, on_progress: OnProgress) -> list[Picture]:
        """A photo made by it."""
        with httpx.Client(base_url="http://later", transport=httpx.MockTransport(self.answer)) as client:
            return make_there(client, WISH, Event())(b"photo", "ada", on_progress)


UNKNOWN = [{"stage": "varnish", "step": 1, "steps": 2}, {"stage": "varnish", "step": 1, "steps": 2, "fraction": 0.5}]


@pytest.mark.parametrize("progress", UNKNOWN)
def test_a_stage_that_only_a_later_service_knows_is_passed_over(progress: object) -> None:
    told: list[Progress] = []
    (picture,) = LaterService(progress, [protected_face().model_dump(mode="json")]).make(told.append)
    assert (picture.photo, told) == (b"photo", [])


@pytest.mark.parametrize("faces", [[{"status": "blurred"}], None])
def test_a_report_that_only_a_later_service_knows_fails_its_photo_alone(faces: object) -> None:
    service = LaterService(None, faces)
    with pytest.raises(RequestFailed) as refused:
        service.make(lambda _: None)
    assert refused.value.code == "answer_unreadable"
    assert service.erased
