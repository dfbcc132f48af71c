"""A store that no other test's service shares: each tells webhooks of whatever jobs it finds in its own."""

from collections.abc import Iterator

import pytest

from tests.conftest import valkey


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The address of a real server for the tests that import this."""
    with valkey() as url:
        yield url
