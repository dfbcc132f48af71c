"""A web process in front of a real instance, Mastodon.py as its client; the tests play the worker."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
from mastodon import Mastodon
from redis import Redis

from app.mastodon.notes import name_of
from diffam_client.contract.job import JobError
from jobs.ledger import Ledger
from jobs.settings import Settings
from tests.app.conftest import serving
from tests.mastodon_instance import TOKEN, Instance, instance_running

PROTECTED = hashlib.sha256(b"protected").hexdigest()
"""Of what the tests' worker makes of any photo."""
Serve = Callable[[Settings], AbstractContextManager[httpx.Client]]


@pytest.fixture(scope="session")
def running() -> Iterator[Instance]:
    """One server for all tests."""
    with instance_running() as instance:
        yield instance


@pytest.fixture
def instance(running: Instance) -> Instance:
    """An instance that nobody has used, and that behaves."""
    usual = Instance(running.port)
    for name, value in vars(usual).items():
        setattr(running, name, value)
    return running


@pytest.fixture
def settings(settings: Settings, instance: Instance) -> Settings:
    """The test settings, with an instance behind the service."""
    return settings.model_copy(update={"mastodon_url": instance.url, "max_wait_s": 5})


@pytest.fixture(scope="session")
def fronting(redis_url: str, bundles: Path, running: Instance) -> Iterator[str]:
    """The address of one web process in front of the instance."""
    settings = Settings(_env_file=None, redis_url=redis_url, bundles_dir=bundles, bundle="small")
    with serving(settings.model_copy(update={"mastodon_url": running.url, "max_wait_s": 5})) as client:
        yield str(client.base_url)


@pytest.fixture
def facade(fronting: str, redis: Redis, instance: Instance) -> Iterator[httpx.Client]:
    """A client of it with Ada's token; nothing is in the ledger, nobody has used the instance."""
    redis.ping()
    with httpx.Client(base_url=fronting, timeout=60, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        assert instance.asked == []
        yield client


@pytest.fixture
def ada(facade: httpx.Client) -> Mastodon:
    """The library that people use, pointed at the facade."""
    return Mastodon(access_token=TOKEN, api_base_url=str(facade.base_url), ratelimit_method="throw")


@pytest.fixture
def upload(facade: httpx.Client, jpeg: bytes) -> Callable[..., httpx.Response]:
    """Sends a picture; keyword arguments replace the file, the fields or the headers."""

    def send(
        file: Any = None, path: str = "/api/v2/media", headers: dict[str, str] | None = None, **fields: str
    ) -> httpx.Response:
        return facade.post(path, files={"file": file or ("me.jpg", jpeg, "image/jpeg")}, data=fields, headers=headers)

    return send


@pytest.fixture
def finish_media(finish: Callable[[str], None]) -> Callable[[str], None]:
    """Plays the worker for an attachment of Ada's."""
    return lambda media_id: finish(name_of(media_id, TOKEN))


@pytest.fixture
def fail_media(ledger: Ledger) -> Callable[[str], None]:
    """Plays the worker that finds no face."""

    def fail(media_id: str) -> None:
        claim = ledger.claim(name_of(media_id, TOKEN))
        assert claim is not None
        assert ledger.fail(claim, JobError(code="no_face_found", message="no face in the photo", retryable=False))

    return fail
