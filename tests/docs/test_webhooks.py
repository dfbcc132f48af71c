"""The receiver of `docs/webhooks.md`, run as it stands there, takes what the service sends and nothing else."""

import os
import re
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from redis import Redis
from standardwebhooks import Webhook as Signer

from app.webhooks.messages import EventMessage
from diffam_client.contract.webhook import EVENTS, AttemptError, Webhook
from jobs.ledger import Ledger
from jobs.new_job import NewJob, Terms
from jobs.settings import Settings
from jobs.webhooks.secrets import secret_of
from model_store.catalog import BUNDLES
from tests.app.conftest import web_process
from tests.jobs.conftest import BUNDLE, INPUT
from tests.own_store import redis_url as redis_url
from tests.receiver import eventually

PAGE = (Path(__file__).parents[2] / "docs/webhooks.md").read_text(encoding="utf-8")
ERRORS: tuple[str, ...] = AttemptError.__args__  # type: ignore[attr-defined]


@pytest.fixture
def port() -> int:
    """One that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_the_receiver_of_the_page_verifies_and_is_told(
    settings: Settings, redis: Redis, ledger: Ledger, tmp_path: Path, port: int
) -> None:
    assert redis.ping()
    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    secrets_file = tmp_path / "webhooks.json"
    env = os.environ | {"WEBHOOK_SECRET": secret_of(secrets_file, ""), "PORT": str(port)}
    open_settings = settings.model_copy(
        update={"webhooks_file": secrets_file, "webhook_loopback": True, "webhook_retry_s": 0.1, "bundles_dir": BUNDLES}
    )
    url = f"http://127.0.0.1:{port}/hook"
    terms = Terms(webhook=Webhook(url=url, events=EVENTS))
    command, quiet = [sys.executable, "-c", program], subprocess.DEVNULL
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=quiet, text=True) as receiver:
        try:
            with web_process(open_settings):
                job_id = ledger.accept(NewJob(INPUT, BUNDLE, terms=terms), b"photo").job_id
                ledger.claim(job_id)
                ledger.cancel(job_id)
                assert receiver.stdout is not None
                heard = [receiver.stdout.readline() for _ in range(2)]
            assert heard == [f"job.started {job_id}\n", f"job.canceled {job_id}\n"]
            forged = {"webhook-id": "msg_x", "webhook-timestamp": "1764280672", "webhook-signature": "v1,AAAA"}
            assert eventually(lambda: httpx.post(url, content=b"{}", headers=forged).status_code == 401)
        finally:
            receiver.kill()


def test_the_example_of_the_page_is_signed_as_it_says() -> None:
    head, body = re.findall(r"^```http\nPOST .*?\n(.*?)\n\n(.*?)\n```", PAGE, re.MULTILINE | re.DOTALL)[0]
    headers = dict(line.split(": ", 1) for line in head.splitlines())
    (secret,) = re.findall(r"`(whsec_[^`]+)`", PAGE)
    at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    assert Signer(secret).sign(headers["webhook-id"], at, body) == headers["webhook-signature"]
    assert EventMessage.model_validate_json(body).timestamp <= at


def test_the_page_names_every_event_field_and_error() -> None:
    missing = [
        name for name in (*EVENTS, *ERRORS, "webhook_url", "webhook_events", "client_ref") if f"`{name}`" not in PAGE
    ]
    assert missing == []
