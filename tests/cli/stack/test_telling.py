"""A whole stack tells a real receiver: what worker, reaper and web end, with any of them killed on the way."""

import os
import signal
from io import BytesIO
from typing import Any

import httpx
import pytest
from PIL import Image

from cli.stack.stack import running_stack
from jobs.settings import Settings
from jobs.webhooks.secrets import secret_of
from tests.cli.conftest import STAND_IN, eventually
from tests.receiver import Receiver, Reply, receiving, verified

PARTS = ("web", "worker", "valkey")
EVERY = "job.started,job.succeeded,job.failed,job.canceled"


@pytest.fixture
def telling(own: Settings) -> Settings:
    """A stack that may tell this machine, of which a killed sender holds a lease for six seconds."""
    quick = {"webhook_loopback": True, "webhook_retry_s": 0.1, "webhook_timeout_s": 0.25}
    return own.model_copy(update=quick)


def send(client: httpx.Client, receiver: Receiver, colour: str = "teal") -> dict[str, Any]:
    """A job that the receiver is to be told everything of."""
    photo = BytesIO()
    Image.new("RGB", (80, 80), colour).save(photo, "PNG")
    form = {"reference_id": "rose", "webhook_url": receiver.url, "webhook_events": EVERY}
    answer = client.post("/v1/jobs", files={"photo": photo.getvalue()}, data=form)
    assert answer.is_success, answer.text  # 200 where a job was over before its answer was written
    job: dict[str, Any] = answer.json()
    return job


def heard(receiver: Receiver, job: dict[str, Any]) -> list[str]:
    """What the receiver was told of a job, each thing once."""
    told = [each for each in receiver.messages if each.told["data"]["id"] == job["id"]]
    return list({each.id: each.told["type"] for each in told}.values())


@pytest.mark.parametrize("killed", [None, *(pytest.param(part, marks=pytest.mark.chaos) for part in PARTS)])
def test_a_receiver_is_told_how_every_job_began_and_ended_whoever_dies(telling: Settings, killed: str | None) -> None:
    secret = secret_of(telling.webhooks, "")
    with receiving() as receiver, running_stack(telling, print, STAND_IN) as stack:
        receiver.behave = lambda number: Reply(500 if number % 3 == 1 else 200, after_s=0.1)
        stack.wait_until_ready()
        with httpx.Client(base_url=stack.url, timeout=60) as client:
            good, bad = send(client, receiver), send(client, receiver, "black")
            if killed:
                assert eventually(lambda: receiver.messages)
                os.kill(stack.supervisor.pid(killed), signal.SIGKILL)
            assert eventually(lambda: heard(receiver, good) == ["job.started", "job.succeeded"])
            assert eventually(lambda: heard(receiver, bad) == ["job.started", "job.failed"])
            assert all(verified(each, secret) for each in receiver.all)
            assert client.get(receiver.messages[-1].told["data"]["url"]).json()["status"] in ("succeeded", "failed")
