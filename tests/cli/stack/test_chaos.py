"""Many jobs under repeated murder: `make chaos`."""

import os
import random
import re
import signal
import time

import httpx
import pytest

from cli.stack.stack import running_stack
from diffam_client import Client
from jobs.settings import Settings
from tests.cli.conftest import STAND_IN, eventually
from tests.cli.stack.test_stack import photo

JOBS, KILLS, SEED = 120, 4, 20
pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]


def test_no_job_is_lost_and_none_ends_twice_when_workers_are_killed_again_and_again(own: Settings) -> None:
    settings, chance = own.model_copy(update={"max_attempts": 10}), random.Random(SEED)
    with (
        running_stack(settings, print, STAND_IN) as stack,
        Client(stack.url) as api,
        httpx.Client(base_url=stack.url, timeout=60) as client,
    ):
        stack.wait_until_ready()
        jobs = [api.submit(photo(), reference="rose") for _ in range(JOBS)]
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.5, 3))
            os.kill(stack.supervisor.pid("worker"), signal.SIGKILL)
            assert eventually(lambda: client.get("/readyz").is_success)
        finished = [api.wait(job) for job in jobs]
        revisions = [api.get(job).revision for job in jobs]
        histories = [client.get(job.links["events"]).text for job in jobs]
    assert [job.status for job in finished] == ["succeeded"] * JOBS
    assert max(job.attempt for job in finished) > 1
    assert revisions == [job.revision for job in finished]
    for history, revision in zip(histories, revisions, strict=True):
        assert re.findall(r"^id: (\d+)$", history, re.MULTILINE) == [str(each) for each in range(1, revision + 1)]
        assert history.count('"status":"succeeded"') == 1
