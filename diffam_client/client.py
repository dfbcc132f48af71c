"""The two clients: the same calls, blocking or awaited. What each call does stands once, in the modules beside."""

import os
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar
from urllib.request import getproxies, proxy_bypass

import anyio
import httpx

from diffam_client import calls, offers, protecting, watching
from diffam_client.retrying import Pause, patiently
from diffam_client.wire import Blocking, Suspending, Wire, ended, one_by_one

P = ParamSpec("P")
T = TypeVar("T")

SERVER, KEY = "DIFFAM_SERVER", "DIFFAM_API_KEY"
"""Environment variables that say what is not said in the code."""
HERE = "http://127.0.0.1:8000"
TIMEOUT_S, CONNECT_S, RETRIES = 60.0, 10.0, 7


def _blocking(call: Callable[Concatenate[Wire, P], Coroutine[Any, Any, T]]) -> Callable[Concatenate["Client", P], T]:
    """The call as a method that blocks."""

    @wraps(call)
    def method(client: "Client", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return ended(call(client._wire, *args, **kwargs))

    return method


def _iterated(
    call: Callable[Concatenate[Wire, P], AsyncGenerator[T, None]],
) -> Callable[Concatenate["Client", P], Iterator[T]]:
    """The generator as a method whose iterator blocks."""

    @wraps(call)
    def method(client: "Client", /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        return one_by_one(call(client._wire, *args, **kwargs))

    return method


def _awaited(call: Callable[Concatenate[Wire, P], T]) -> Callable[Concatenate["AsyncClient", P], T]:
    """The call as a method whose answer is awaited, or iterated over asynchronously."""

    @wraps(call)
    def method(client: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return call(client._wire, *args, **kwargs)

    return method


class Client:
    """A service, called in the thread that asks; threads may share it."""

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        timeout_s: float = TIMEOUT_S,
        retries: int = RETRIES,
        transport: httpx.BaseTransport | None = None,
        pause: Pause = time.sleep,
    ) -> None:
        """url: of the service, else DIFFAM_SERVER, else this machine's port 8000.  key: else DIFFAM_API_KEY; none where
        the service asks for none.  timeout_s: of the longest silence in an answer.  retries: of a request that the
        network lost, or the service was too busy for.  transport: httpx's, for certificates or proxies of your own.
        pause: waits between two tries; may raise to give up.

        Raises ValueError: the URL is none.
        """
        there = _address(url)
        inner = transport or httpx.HTTPTransport(proxy=_proxy(there))
        around = patiently(inner, retries, pause)
        self._http = httpx.Client(base_url=there, headers=_headers(key), timeout=_timeout(timeout_s), transport=around)
        self._wire = Blocking(self._http, pause)

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def __enter__(self) -> Self:
        """Closed when the block ends."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        self.close()

    protect = _blocking(protecting.protect)
    faces = _blocking(protecting.faces)
    submit = _blocking(calls.submit)
    get = _blocking(calls.get)
    wait = _blocking(watching.wait)
    events = _iterated(watching.events)
    fetch = _blocking(protecting.fetch)
    result = _blocking(calls.result)
    comparison = _blocking(calls.comparison)
    undo = _blocking(calls.undo)
    cancel = _blocking(calls.cancel)
    retry = _blocking(calls.retry)
    erase = _blocking(calls.erase)
    deliveries = _blocking(calls.deliveries)
    redeliver = _blocking(calls.redeliver)
    jobs = _iterated(calls.jobs)
    references = _blocking(offers.references)
    add_reference = _blocking(offers.add_reference)
    fine_tune = _blocking(offers.fine_tune)
    remove_reference = _blocking(offers.remove_reference)
    targets = _blocking(offers.targets)
    limits = _blocking(offers.limits)
    health = _blocking(offers.health)


class AsyncClient:
    """A service, called from an event loop."""

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        timeout_s: float = TIMEOUT_S,
        retries: int = RETRIES,
        transport: httpx.AsyncBaseTransport | None = None,
        pause: Pause = anyio.sleep,
    ) -> None:
        """As of `Client`; `pause` is awaited."""
        there = _address(url)
        inner = transport or httpx.AsyncHTTPTransport(proxy=_proxy(there))
        around = patiently(inner, retries, pause)
        self._http = httpx.AsyncClient(
            base_url=there, headers=_headers(key), timeout=_timeout(timeout_s), transport=around
        )
        self._wire = Suspending(self._http, pause)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        """Closed when the block ends."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        await self.aclose()

    protect = _awaited(protecting.protect)
    faces = _awaited(protecting.faces)
    submit = _awaited(calls.submit)
    get = _awaited(calls.get)
    wait = _awaited(watching.wait)
    events = _awaited(watching.events)
    fetch = _awaited(protecting.fetch)
    result = _awaited(calls.result)
    comparison = _awaited(calls.comparison)
    undo = _awaited(calls.undo)
    cancel = _awaited(calls.cancel)
    retry = _awaited(calls.retry)
    erase = _awaited(calls.erase)
    deliveries = _awaited(calls.deliveries)
    redeliver = _awaited(calls.redeliver)
    jobs = _awaited(calls.jobs)
    references = _awaited(offers.references)
    add_reference = _awaited(offers.add_reference)
    fine_tune = _awaited(offers.fine_tune)
    remove_reference = _awaited(offers.remove_reference)
    targets = _awaited(offers.targets)
    limits = _awaited(offers.limits)
    health = _awaited(offers.health)


def _address(url: str | None) -> httpx.URL:
    """Where the service is. Raises ValueError."""
    said = url or os.environ.get(SERVER) or HERE
    try:
        address = httpx.URL(said)
    except httpx.InvalidURL as error:
        raise ValueError(f"a service has a URL such as {HERE}, not {said!r}: {error}") from error
    if address.scheme not in ("http", "https") or not address.host:
        raise ValueError(f"a service has a URL such as {HERE}, not {said!r}")
    return address


def _proxy(address: httpx.URL) -> str | None:
    """The proxy that the environment wants between here and there."""
    wanted = getproxies()
    return None if proxy_bypass(address.host) else wanted.get(address.scheme, wanted.get("all"))


def _headers(key: str | None) -> dict[str, str]:
    said = key or os.environ.get(KEY)
    return {"Authorization": f"Bearer {said}"} if said else {}


def _timeout(timeout_s: float) -> httpx.Timeout:
    return httpx.Timeout(timeout_s, connect=min(timeout_s, CONNECT_S))
