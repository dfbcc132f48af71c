"""One photo must not take others down: a real stack whose pipeline stalls on one picture."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cli.stack.stack import running_stack
from diffam_client import Client
from tests.cli.conftest import STAND_IN, own_settings
from tests.cli.stack.test_stack import photo

FINE = "teal"


@pytest.fixture(scope="module", params=["red", "blue"], ids=["stalls", "keeps what all need"])
def culprit(request: pytest.FixtureRequest) -> str:
    """The colour of the photo that is worked on for ever: each has a stack of its own."""
    return str(request.param)


@pytest.fixture(scope="module")
def client(bundles: Path, tmp_path_factory: pytest.TempPathFactory, culprit: str) -> Iterator[Client]:
    """A stack whose batches may take three seconds; the stand-in takes one."""
    settings = own_settings(bundles, tmp_path_factory.mktemp(culprit)).model_copy(update={"batch_timeout_s": 3})
    with running_stack(settings, print, STAND_IN) as stack, Client(stack.url) as client:
        stack.wait_until_ready()
        yield client


@pytest.mark.parametrize("place", [0, 5], ids=["first", "in the middle"])
def test_of_eight_jobs_only_the_one_that_stalls_fails(client: Client, culprit: str, place: int) -> None:
    colours = [culprit if number == place else FINE for number in range(8)]
    jobs = [client.submit(photo(colour), reference="rose") for colour in colours]

    def outcome(number: int) -> str:
        over = client.wait(jobs[number])
        return over.error.code if over.error else over.status

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(outcome, range(8)))
    assert outcomes == ["photo_takes_too_long" if colour == culprit else "succeeded" for colour in colours]
    failed = client.get(jobs[place])
    assert failed.error is not None
    assert not failed.error.retryable
    assert failed.attempt <= 2
