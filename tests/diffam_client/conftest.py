"""A real service with a stand-in for its models, and both clients as one: a test of either is a test of both."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from cli.stack.stack import Stack, running_stack
from diffam_client import AsyncClient, Client
from tests.cli.conftest import STAND_IN, own_settings
from tests.cli.conftest import bundles as bundles
from tests.people import shot

Kind = Literal["blocking", "awaited"]


@dataclass(frozen=True)
class Caller:
    """Calls of one of the clients, each to its end; what is iterated over comes as a list."""

    kind: Kind
    url: str
    options: dict[str, Any] = field(default_factory=dict)

    def __call__(self, name: str, *args: Any, **asked: Any) -> Any:
        """What the call of that name comes to."""
        if self.kind == "blocking":
            with Client(self.url, **self.options) as client:
                told = getattr(client, name)(*args, **asked)
                return list(told) if inspect.isgenerator(told) else told
        return asyncio.run(self._awaited(name, args, asked))

    async def _awaited(self, name: str, args: Any, asked: Any) -> Any:
        async with AsyncClient(self.url, **self.options) as client:
            told = getattr(client, name)(*args, **asked)
            return [each async for each in told] if isinstance(told, AsyncIterator) else await told

    def at(self, url: str, **options: Any) -> "Caller":
        """The same client elsewhere."""
        return Caller(self.kind, url, options)


@pytest.fixture(scope="session")
def stack(bundles: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One service for all tests that leave it whole."""
    with running_stack(own_settings(bundles, tmp_path_factory.mktemp("service")), print, STAND_IN) as served:
        served.wait_until_ready()
        yield served


@pytest.fixture(params=["blocking", "awaited"])
def call(request: pytest.FixtureRequest, stack: Stack) -> Caller:
    """Both clients, one after the other."""
    return Caller(request.param, stack.url)


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    """The blocking one, open."""
    with Client(stack.url) as opened:
        yield opened


@pytest.fixture(scope="session")
def photo() -> bytes:
    """A rendered person, 96 pixels square, as PNG bytes."""
    return shot(0, 0, 96)


Pauses = Callable[[float], object]
