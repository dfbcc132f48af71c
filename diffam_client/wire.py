"""One code path for both clients: calls are coroutines that know the world through a `Wire`.

There are two: `Blocking` never suspends, so `ended` runs a call to its end without any event loop, in the thread that
asked; with `Suspending` a call is an ordinary coroutine.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, nullcontext
from typing import Any, Protocol, TypeVar

import anyio
import httpx

from diffam_client.retrying import Pause

Told = TypeVar("Told")


class Listening(Protocol):
    """An answer whose body is still coming: its head, and pieces of text as they arrive."""

    @property
    def response(self) -> httpx.Response: ...
    def texts(self) -> AsyncIterator[str]: ...
    async def read(self) -> None: ...


class Wire(Protocol):
    """What a call needs of the world. Whatever it sends may raise httpx.TransportError."""

    @property
    def http(self) -> httpx.Client | httpx.AsyncClient: ...
    async def exchange(self, request: httpx.Request) -> httpx.Response: ...
    def listen(self, request: httpx.Request) -> AbstractAsyncContextManager[Listening]: ...
    async def pause(self, seconds: float) -> None: ...
    def shielded(self) -> AbstractContextManager[object]: ...


class Blocking:
    """Every wait blocks the thread."""

    def __init__(self, http: httpx.Client, pause: Pause) -> None:
        self.http, self._pause = http, pause

    async def exchange(self, request: httpx.Request) -> httpx.Response:
        """The whole answer."""
        return self.http.send(request)

    @asynccontextmanager
    async def listen(self, request: httpx.Request) -> AsyncIterator["BlockingAnswer"]:
        """An answer to read as it comes."""
        response = self.http.send(request, stream=True)
        try:
            yield BlockingAnswer(response)
        finally:
            response.close()

    async def pause(self, seconds: float) -> None:
        """Wait."""
        self._pause(seconds)

    def shielded(self) -> AbstractContextManager[object]:
        """Nothing interrupts from outside what blocks."""
        return nullcontext()


class BlockingAnswer:
    """An answer that is being read."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response

    async def texts(self) -> AsyncIterator[str]:
        """Its pieces."""
        for text in self.response.iter_text():
            yield text

    async def read(self) -> None:
        """All of it."""
        self.response.read()


class Suspending:
    """Every wait is awaited, so that others run meanwhile."""

    def __init__(self, http: httpx.AsyncClient, pause: Pause) -> None:
        self.http, self._pause = http, pause

    async def exchange(self, request: httpx.Request) -> httpx.Response:
        """The whole answer."""
        return await self.http.send(request)

    @asynccontextmanager
    async def listen(self, request: httpx.Request) -> AsyncIterator["SuspendingAnswer"]:
        """An answer to read as it comes."""
        response = await self.http.send(request, stream=True)
        try:
            yield SuspendingAnswer(response)
        finally:
            with self.shielded():
                await response.aclose()

    async def pause(self, seconds: float) -> None:
        """Wait."""
        await self._pause(seconds)

    def shielded(self) -> AbstractContextManager[object]:
        """What is awaited inside goes on where its task is canceled."""
        return anyio.CancelScope(shield=True)


class SuspendingAnswer:
    """An answer that is being read."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response

    def texts(self) -> AsyncIterator[str]:
        """Its pieces."""
        return self.response.aiter_text()

    async def read(self) -> None:
        """All of it."""
        await self.response.aread()


def ended(call: Coroutine[Any, Any, Told]) -> Told:
    """What a call over a `Blocking` wire comes to. Raises what it raises."""
    try:
        call.send(None)
    except StopIteration as end:
        told: Told = end.value
        return told
    call.close()
    raise RuntimeError("this call waits for an event loop: an asynchronous callback needs an AsyncClient")


def one_by_one(calls: AsyncGenerator[Told, None]) -> Iterator[Told]:
    """What a generator over a `Blocking` wire yields, as somebody asks for it."""

    async def following() -> Told:
        return await anext(calls)

    try:
        while True:
            try:
                yield ended(following())
            except StopAsyncIteration:
                return
    finally:
        ended(calls.aclose())
