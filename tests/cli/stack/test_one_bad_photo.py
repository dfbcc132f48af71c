"""One photo must not take others down: a real stack whose pipeline stalls on one picture."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from cli.client import follow, submit
from cli.errors import RequestFailed
from cli.stack.stack import running_stack
from tests.cli.conftest import STAND_IN, own_settings
from tests.cli.stack.test_stack import photo

FINE = "teal"


@pytest.fixture(scope="module", params=["red", "blue"], ids=["stalls", "keeps what all need"])
def culprit(request: pytest.FixtureRequest) -> str:
    """The colour of the photo that is worked on for ever: each has a stack of its own."""
    return str(request.param)


@pytest.fixture(scope="module")
def client(bundles: Path, tmp_path_factory: pytest.TempPathFactory, culprit: str) -> Iterator[httpx.Client]:
    """A stack whose batches may take three seconds; the stand-in takes one."""
    settings = own_settings(bundles, tmp_path_factory.mktemp(culprit)).model_copy(update={"batch_timeout_s": 3})
    with running_stack(settings, print, STAND_IN) as stack, httpx.Client(base_url=stack.url, timeout=60) as client:
        stack.wait_until_ready()
        yield client


@pytest.mark.parametrize("place", [0, 5], ids=["first", "in the middle"])
def test_of_eight_jobs_only_the_one_that_stalls_fails(client: httpx.Client, culprit: str, place: int) -> None:
    colours = [culprit if number == place else FINE for number in range(8)]
    jobs = [submit(client, photo(colour), "rose", None) for colour in colours]

    def outcome(number: int) -> str:
        try:
            return str(follow(client, jobs[number], lambda _: None)["status"])
        except RequestFailed as failure:
            return failure.code

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(outcome, range(8)))
    assert outcomes == ["photo_takes_too_long" if colour == culprit else "succeeded" for colour in colours]
    failed = client.get(f"/v1/jobs/{jobs[place]['id']}").json()
    assert not failed["error"]["retryable"]
    assert failed["attempt"] <= 2
