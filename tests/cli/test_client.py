"""A busy service is asked again, as it wishes; what it refuses is told with its code."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cli.client import ATTEMPTS, erase, submit, targets_of
from cli.errors import RequestFailed
from cli.stack.stack import running_stack
from tests.cli.conftest import eventually, own_settings
from tests.cli.stack.test_stack import IDLE
from tests.people import shot


@pytest.fixture(scope="module")
def client(bundles: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A service that lets a single job wait, and whose worker does nothing."""
    settings = own_settings(bundles, tmp_path_factory.mktemp("crowded")).model_copy(update={"max_queued": 1})
    with running_stack(settings, print, IDLE, worker_stop_s=0) as stack, httpx.Client(base_url=stack.url) as opened:
        assert eventually(lambda: opened.get("/livez").is_success, timeout_s=60)
        yield opened


def test_a_full_queue_is_asked_again_after_the_pause_it_names(client: httpx.Client) -> None:
    first = submit(client, shot(0, 0, 96), "rose", None)
    pauses: list[float] = []

    def wait(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            erase(client, first)

    second = submit(client, shot(0, 0, 96), "rose", None, None, wait)
    assert second["status"] == "queued"
    assert pauses == [5, 5]  # Retry-After of queue_full
    assert client.get(f"/v1/jobs/{first['id']}").status_code == 410
    erase(client, second)


def test_a_queue_that_stays_full_is_given_up(client: httpx.Client) -> None:
    waiting, pauses = submit(client, shot(0, 0, 96), "rose", None), list[float]()
    with pytest.raises(RequestFailed) as refused:
        submit(client, shot(0, 0, 96), "rose", None, None, pauses.append)
    assert client.get(f"/v1/jobs/{waiting['id']}").json()["status"] == "queued"
    assert len(pauses) == ATTEMPTS - 1
    assert refused.value.code == "queue_full"


def test_a_refusal_keeps_its_code(client: httpx.Client) -> None:
    with pytest.raises(RequestFailed) as refused:
        submit(client, b"no photo", "rose", None)
    assert refused.value.code == "photo_format_unsupported"


def test_the_targets_of_a_look_are_those_it_has_a_style_for(client: httpx.Client) -> None:
    assert targets_of(client, "rose") == ["ada"]
    with pytest.raises(RequestFailed, match="unknown_reference"):
        targets_of(client, "tulip")


def test_a_service_that_is_away_is_said_to_be_unreachable() -> None:
    pauses: list[float] = []
    with httpx.Client(base_url="http://127.0.0.1:9") as client, pytest.raises(RequestFailed) as refused:
        submit(client, b"photo", "rose", None, None, pauses.append)
    assert refused.value.code == "service_unreachable"
    assert len(pauses) > 2
