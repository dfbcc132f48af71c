"""Requests that are asked again: a transport around httpx's own, by `httpx_retries`.

What is asked again is what the service invites to: 429 and 503 after the pause that `Retry-After` names, 409 while the
same request is being read, 502 of a proxy; and what the network lost. Every call of this package may come twice: those
that make a job carry an `Idempotency-Key`.
"""

from collections.abc import Callable
from typing import Any, cast

import httpx
from httpx_retries import Retry, RetryTransport

Pause = Callable[[float], Any]
"""What waits for so many seconds; may raise to give up. For an asynchronous client, what it returns is awaited."""
LONGEST_PAUSE_S = 60.0
"""A service that names a longer one is not waited for: the caller is told."""
LONGEST_BACKOFF_S = 5.0
BACKOFF_S = 0.2
EVENTS = "text/event-stream"
EVERY_METHOD = ("GET", "POST", "PUT", "DELETE")


class ComeBack(httpx.TransportError):
    """An answer that invites to ask again."""


class PatientRetry(Retry):
    """A policy whose pauses are the client's own."""

    pause: Pause

    def copy_with(self, *args: Any, **changes: Any) -> Retry:
        """The same for the next attempt, which pauses alike."""
        again = cast(PatientRetry, super().copy_with(*args, **changes))
        again.pause = self.pause
        return again

    def sleep(self, response: httpx.Response | Exception) -> None:
        """Wait before the next attempt."""
        self.pause(self.pause_s(response))

    async def asleep(self, response: httpx.Response | Exception) -> None:
        """The same, asynchronously."""
        await self.pause(self.pause_s(response))

    def pause_s(self, response: httpx.Response | Exception) -> float:
        """What the service asks for, or longer with every attempt."""
        told = retry_after_s(response) if isinstance(response, httpx.Response) else None
        return self.backoff_strategy() if told is None else told


def retry_after_s(response: httpx.Response) -> float | None:
    """When the service says that it is worth coming back; None where it does not."""
    told = response.headers.get("Retry-After", "")
    try:
        return Retry().parse_retry_after(told) if told else None
    except ValueError:
        return None


def check_whether_to_come_back(response: httpx.Response) -> None:
    """Raises ComeBack where the answer invites to ask the same again, soon."""
    pause_s, status = retry_after_s(response), response.status_code
    is_being_read = status == 409 and pause_s is not None and response.request.method != "GET"
    if (status in (429, 502, 503) or is_being_read) and (pause_s or 0) <= LONGEST_PAUSE_S:
        raise ComeBack(f"HTTP {status}")


def patient(retries: int, pause: Pause) -> Retry:
    """Ask so many times more, at most."""
    policy = PatientRetry(
        total=retries,
        allowed_methods=EVERY_METHOD,
        status_forcelist=(599,),  # no list of statuses says it: `check_whether_to_come_back` does
        retry_on_exceptions=(httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError, ComeBack),
        backoff_factor=BACKOFF_S,
        max_backoff_wait=LONGEST_BACKOFF_S,
        validate_response=check_whether_to_come_back,
    )
    policy.pause = pause
    return policy


ONCE = {"retry": Retry(total=0)}
"""Of a request that is not to be asked again (`extensions`)."""


class WholeAnswers(httpx.BaseTransport):
    """Reads each answer to its end, so that one that breaks off is asked again; streams of events go through."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Raises TransportError."""
        response = self._inner.handle_request(request)
        if request.headers.get("Accept") != EVENTS:
            try:
                response.read()
            except BaseException:
                response.close()
                raise
        return response

    def close(self) -> None:
        """Close every connection."""
        self._inner.close()


class WholeAnswersAsync(httpx.AsyncBaseTransport):
    """The same, asynchronously."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises TransportError."""
        response = await self._inner.handle_async_request(request)
        if request.headers.get("Accept") != EVENTS:
            try:
                await response.aread()
            except BaseException:
                await response.aclose()
                raise
        return response

    async def aclose(self) -> None:
        """Close every connection."""
        await self._inner.aclose()


def patiently(transport: httpx.BaseTransport | httpx.AsyncBaseTransport, retries: int, pause: Pause) -> RetryTransport:
    """The transport, asked again where that may help."""
    whole = WholeAnswers(transport) if isinstance(transport, httpx.BaseTransport) else WholeAnswersAsync(transport)
    return RetryTransport(whole, patient(retries, pause))
