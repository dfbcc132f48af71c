"""A job's webhook through the client: asked for, looked at, told again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.stack.stack import Stack, running_stack
from diffam_client import NotThere
from jobs.webhooks.secrets import secret_of
from tests.cli.conftest import STAND_IN, eventually, own_settings
from tests.diffam_client.conftest import Caller
from tests.receiver import receiving

pytestmark = pytest.mark.xdist_group("client")


@pytest.fixture(scope="module")
def telling(bundles: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A service that may tell this machine."""
    settings = own_settings(bundles, tmp_path_factory.mktemp("telling")).model_copy(update={"webhook_loopback": True})
    secret_of(settings.webhooks, "")
    with running_stack(settings, print, STAND_IN) as served:
        served.wait_until_ready()
        yield served


def test_a_webhook_is_told_and_told_again(telling: Stack, call: Caller, photo: bytes) -> None:
    there = call.at(telling.url)
    with receiving() as receiver:
        ends = ["job.succeeded", "job.failed"]
        asked = {"reference": "rose", "client_ref": "album/7", "webhook_url": receiver.url, "webhook_events": ends}
        job = there("submit", photo, **asked)
        assert there("wait", job).client_ref == "album/7"
        assert eventually(lambda: there("deliveries", job).messages[0].state == "delivered")
        told = there("deliveries", job)
        assert [message.type for message in told.messages] == ["job.succeeded"]
        assert told.webhook.events == tuple(ends)
        there("redeliver", job)
        assert eventually(lambda: [each.id for each in receiver.messages] == 2 * [told.messages[0].id])


def test_a_job_without_a_webhook_has_nothing_to_tell(call: Caller, photo: bytes) -> None:
    job = call("submit", photo, reference="rose")
    with pytest.raises(NotThere):
        call("deliveries", job)
