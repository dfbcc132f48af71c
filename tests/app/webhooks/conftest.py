"""A service that may tell this machine, with a secret to sign by, and somebody who listens."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import httpx
import pytest
from redis import Redis

from jobs.settings import Settings
from jobs.webhooks.secrets import secret_of
from tests.own_store import redis_url as redis_url
from tests.receiver import Receiver, receiving

Serve = Callable[[Settings], AbstractContextManager[httpx.Client]]
Send = Callable[..., dict[str, Any]]


@pytest.fixture
def anyio_backend() -> str:
    """The web process runs on asyncio."""
    return "asyncio"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Short pauses, little patience, and this machine may be told."""
    quick = {"webhook_loopback": True, "webhook_retry_s": 0.005, "webhook_timeout_s": 0.7}
    return settings.model_copy(update=quick | {"webhooks_file": settings.keys.with_name("webhooks.json")})


@pytest.fixture
def secret(settings: Settings) -> str:
    """What signs, where nobody needs a key."""
    return secret_of(settings.webhooks, "")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Somebody who takes what comes, until a test says otherwise."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def service(serve: Serve, settings: Settings, redis: Redis, secret: str) -> Iterator[httpx.Client]:
    """A web process with an empty ledger behind it."""
    assert redis.ping()
    assert secret
    with serve(settings) as client:
        yield client


@pytest.fixture
def send(service: httpx.Client, receiver: Receiver, jpeg: bytes) -> Send:
    """Sends a photo with a webhook; keyword arguments are further fields."""

    def sent(**fields: str) -> dict[str, Any]:
        form = {"reference_id": "rose", "webhook_url": receiver.url} | fields
        answer = service.post("/v1/jobs", files={"photo": ("me.jpg", jpeg)}, data=form)
        assert answer.status_code == 202, answer.text
        job: dict[str, Any] = answer.json()
        return job

    return sent
