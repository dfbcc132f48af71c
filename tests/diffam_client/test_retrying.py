"""What the network loses or the service is too busy for is asked again, as often as it wishes, and makes one job."""

import asyncio
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.stack.stack import Stack, running_stack
from diffam_client import BadRequest, Client, Conflict, KeyRefused, NotThere, TooMuch, Unavailable, Unreachable
from diffam_client.client import KEY, RETRIES, SERVER
from diffam_client.contract.limits import Quota
from diffam_client.retrying import ComeBack, check_whether_to_come_back
from jobs.access.keys import create_key
from jobs.settings import Settings
from tests.cli.conftest import eventually, own_settings
from tests.cli.stack.test_stack import IDLE
from tests.diffam_client.conftest import Caller
from tests.diffam_client.relay import Faults, relay

pytestmark = pytest.mark.xdist_group("client")


def paused(call: Caller, url: str, pauses: list[float], **options: Any) -> Caller:
    """The client at `url`, which notes its pauses and takes none."""

    async def wait(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(0)

    return call.at(url, pause=pauses.append if call.kind == "blocking" else wait, **options)


def served(settings: Settings) -> Iterator[Stack]:
    """A service whose worker does nothing."""
    with running_stack(settings, print, IDLE, worker_stop_s=0) as stack:
        assert eventually(lambda: httpx.get(f"{stack.url}/livez").is_success)
        yield stack


@pytest.fixture(scope="module")
def crowded(bundles: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A service where one job may wait."""
    yield from served(own_settings(bundles, tmp_path_factory.mktemp("crowded")).model_copy(update={"max_queued": 1}))


@pytest.fixture(scope="module")
def guarded(bundles: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, str]]:
    """A service that asks for a key, and one that may send four requests a minute."""
    folder = tmp_path_factory.mktemp("guarded")
    settings = own_settings(bundles, folder).model_copy(update={"keys_file": folder / "keys.json"})
    _, secret = create_key(settings.keys, "friends", ["submit"], Quota(requests_per_minute=4))
    for stack in served(settings):
        yield stack, secret


@pytest.mark.parametrize(
    ("method", "status", "after", "again"),
    [
        ("POST", 409, "1", True),  # the same request is being read
        ("POST", 409, None, False),
        ("GET", 409, "1", False),  # the result is not there yet: `wait` is for that
        ("POST", 429, "60", True),
        ("POST", 429, "61", False),
        ("POST", 429, "soon", True),
        ("GET", 503, None, True),
        ("GET", 502, None, True),
        ("POST", 504, None, False),  # what was not to be stored is erased by now
        ("GET", 500, None, False),
        ("DELETE", 204, None, False),
    ],
)
def test_only_what_invites_to_it_is_asked_again(method: str, status: int, after: str | None, again: bool) -> None:
    headers = {} if after is None else {"Retry-After": after}
    response = httpx.Response(status, headers=headers, request=httpx.Request(method, "http://here/v1/jobs"))
    with pytest.raises(ComeBack) if again else nullcontext():
        check_whether_to_come_back(response)


def test_a_full_queue_is_asked_again_after_the_pause_it_names(call: Caller, crowded: Stack, photo: bytes) -> None:
    pauses: list[float] = []
    with Client(crowded.url) as client:
        first = client.submit(photo, reference="rose", expires_in_s=50)
        assert first.start_by is not None
        assert round((first.start_by - first.created_at).total_seconds()) == 50

        def wait(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 2:
                client.erase(first)

        async def wait_too(seconds: float) -> None:
            await asyncio.to_thread(wait, seconds)

        patient = call.at(crowded.url, pause=wait if call.kind == "blocking" else wait_too)
        second = patient("submit", photo, reference="rose")
        assert (second.status, pauses) == ("queued", [5, 5])  # Retry-After of queue_full
        client.erase(second)


def test_a_queue_that_stays_full_is_given_up(call: Caller, crowded: Stack, photo: bytes) -> None:
    pauses: list[float] = []
    with Client(crowded.url) as client:
        waiting = client.submit(photo, reference="rose")
        with pytest.raises(Unavailable) as refused:
            paused(call, crowded.url, pauses)("submit", photo, reference="rose")
        assert (refused.value.code, refused.value.retry_after_s, refused.value.retryable) == ("queue_full", 5, True)
        assert len(pauses) == RETRIES
        client.erase(waiting)


def test_a_service_that_is_away_is_said_to_be_unreachable(call: Caller, photo: bytes) -> None:
    pauses: list[float] = []
    with pytest.raises(Unreachable, match=r"no answer from http://127\.0\.0\.1:9") as away:
        paused(call, "http://127.0.0.1:9", pauses)("submit", photo, reference="rose")
    assert (away.value.code, len(pauses)) == ("service_unreachable", RETRIES)
    assert max(pauses) <= 5


def test_a_client_may_be_told_not_to_try_again(call: Caller) -> None:
    pauses: list[float] = []
    with pytest.raises(Unreachable):
        paused(call, "http://127.0.0.1:9", pauses, retries=0)("limits")
    assert pauses == []


def test_a_photo_whose_answer_was_lost_is_sent_again_and_makes_one_job(
    call: Caller, stack: Stack, client: Client, photo: bytes
) -> None:
    known, pauses, faults = {job.id for job in client.jobs()}, list[float](), Faults(lost_answers=2)
    with relay(stack.url, faults) as url:
        job = paused(call, url, pauses)("submit", photo, reference="rose")
    assert [job.id for job in client.jobs() if job.id not in known] == [job.id]
    assert [line.split()[0] for line in faults.seen] == [b"POST"] * 3
    assert len(pauses) == 2
    client.erase(job)


def test_a_picture_that_breaks_off_is_fetched_again(call: Caller, stack: Stack, client: Client, photo: bytes) -> None:
    job = client.wait(client.submit(photo, reference="rose"))
    faults = Faults(only=b"/result", most_bytes=2000, times=2)
    with relay(stack.url, faults) as url:
        assert paused(call, url, [])("result", job) == client.result(job)
    assert len(faults.seen) == 3


def test_what_is_too_early_is_not_asked_for_again(call: Caller, crowded: Stack, photo: bytes) -> None:
    pauses: list[float] = []
    here = paused(call, crowded.url, pauses)
    job = here("submit", photo, reference="rose")
    with pytest.raises(Conflict) as early:
        here("result", job)
    assert (early.value.code, early.value.retry_after_s) == ("result_not_ready", 1)
    with pytest.raises(Unavailable) as idle:
        here("health")
    assert idle.value.code == "no_worker"
    here("erase", job)
    here("erase", job)
    with pytest.raises(NotThere, match="erased_job"):
        here("get", job)
    with pytest.raises(NotThere, match="unknown_job"):
        here("get", "0" * 32)
    with pytest.raises(NotThere, match="not_found"):
        here("get", "../limits")
    assert pauses == []


def test_what_a_deadline_stopped_is_tried_again_in_a_new_job(call: Caller, crowded: Stack, photo: bytes) -> None:
    here = call.at(crowded.url)
    late = here("wait", here("submit", photo, reference="rose", cancel_after_s=1))
    assert (late.status, late.canceled_by) == ("canceled", "deadline")
    again = here("retry", late)
    assert again.id != late.id
    assert here("retry", late).id == again.id
    with pytest.raises(Conflict, match="job_not_retryable"):
        here("retry", again)
    here("erase", again)


def test_what_is_refused_before_it_was_sent_is_told_with_its_reason(call: Caller, crowded: Stack) -> None:
    pauses: list[float] = []
    with pytest.raises(BadRequest, match="upload_too_large") as refused:
        paused(call, crowded.url, pauses)("submit", bytes(30 * 1024 * 1024), reference="rose")
    assert (refused.value.status, refused.value.param, pauses) == (413, "photo", [])


def test_a_key_is_sent_and_what_it_may_not_is_told(
    call: Caller, guarded: tuple[Stack, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stack, secret = guarded
    with pytest.raises(KeyRefused, match="key_missing"):
        call.at(stack.url)("limits")
    with pytest.raises(KeyRefused, match="key_refused"):
        call.at(stack.url, key="diffam_wrong")("limits")
    monkeypatch.setenv(SERVER, stack.url)
    monkeypatch.setenv(KEY, secret)
    assert call.at("")("limits").quota.requests_per_minute == 4


def test_a_quota_that_is_used_up_for_longer_than_anybody_waits_is_told_at_once(
    call: Caller, guarded: tuple[Stack, str]
) -> None:
    stack, secret = guarded
    pauses: list[float] = []
    here = paused(call, stack.url, pauses, key=secret)
    for _ in range(4):
        with suppress(TooMuch):
            here("limits")
    with pytest.raises(TooMuch, match="rate_exceeded") as much:
        here("limits")
    assert much.value.retry_after_s is not None
    assert all(0 < pause <= 60 for pause in pauses)
