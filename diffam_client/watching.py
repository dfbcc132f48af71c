"""Watch a job to its end: its events as they happen, or a look at it now and then where no stream gets through."""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from inspect import isawaitable

import httpx
from pydantic import ValidationError
from pydantic_core import from_json

from diffam_client.answers import ask, heard, read_job
from diffam_client.calls import get, id_of, place_of
from diffam_client.contract.job import Event, Job
from diffam_client.contract.problem import ProblemDocument
from diffam_client.errors import NotOver, TooMuch, Unavailable, Unreachable, refusal
from diffam_client.retrying import EVENTS, retry_after_s
from diffam_client.stream import Message, Messages
from diffam_client.wire import Wire

OnProgress = Callable[[Event], object]
"""Told every change of a job; what it raises ends the waiting. For an AsyncClient it may be a coroutine function."""
SILENCE_S = 30.0
"""The service sends something every ten seconds: a stream that is silent for so long is broken, or held back."""
COME_BACK_S = 1.0
BREAKS = 3
"""Streams in a row that brought nothing, after which the job is only looked at now and then."""


async def events(wire: Wire, job: Job | str, after: int = 0) -> AsyncGenerator[Event, None]:
    """Every change of a job, each once and in order, as it happens; ends with the job.

    after: the revision of the last event that is known already. A stream that breaks is resumed; where none gets
    through, some changes may be missed, but not the last. Raises NotThere: it was erased; Refused, Unreachable.
    """
    async with aclosing(_changes(wire, id_of(job), after, None)) as changes:
        async for event in changes:
            yield event


async def wait(
    wire: Wire, job: Job | str, on_progress: OnProgress | None = None, timeout_s: float | None = None
) -> Job:
    """The job once it is over, however it ended.

    on_progress: told every change; of a `Job`, those after the one that it knows.  timeout_s: None waits as long as it
    takes. Raises NotOver: the time is up, and the job goes on; NotThere: it was erased; Refused, Unreachable.
    """
    known = 0 if isinstance(job, str) else job.revision
    if not isinstance(job, str) and job.is_over:
        return job
    async with aclosing(_changes(wire, id_of(job), known, timeout_s)) as changes:
        async for event in changes:
            told = on_progress(event) if on_progress else None
            if isawaitable(told):
                await told
    return await get(wire, job)


class _Patience:
    """How long somebody waits for a job."""

    def __init__(self, job_id: str, timeout_s: float | None) -> None:
        self._job_id, self._timeout_s = job_id, timeout_s
        self._ends_at = None if timeout_s is None else time.monotonic() + timeout_s

    def left_s(self) -> float:
        """Raises NotOver where nothing is left."""
        if self._ends_at is None or self._timeout_s is None:
            return float("inf")
        left_s = self._ends_at - time.monotonic()
        if left_s <= 0:
            raise NotOver(self._job_id, self._timeout_s)
        return left_s


async def _changes(wire: Wire, job_id: str, after: int, timeout_s: float | None) -> AsyncGenerator[Event, None]:
    patience, breaks = _Patience(job_id, timeout_s), 0
    while breaks < BREAKS:
        known = after
        try:
            async with aclosing(_streamed(wire, job_id, after, patience)) as streamed:
                async for event in streamed:
                    yield event
                    after = event.revision
                    if event.is_last:
                        return
        except (Unreachable, Unavailable, TooMuch):
            patience.left_s()
        except _NothingMore:
            return
        breaks = breaks + 1 if after == known else 0
        await wire.pause(min(COME_BACK_S, patience.left_s()))
    async with aclosing(_looked_at(wire, job_id, after, patience)) as seen:
        async for event in seen:
            yield event


class _NothingMore(Exception):
    """The job is over, and its last event was read before."""


async def _streamed(wire: Wire, job_id: str, after: int, patience: _Patience) -> AsyncGenerator[Event, None]:
    """The changes of one connection. Raises Unreachable where it breaks, or is silent for too long; _NothingMore."""
    headers = {"Accept": EVENTS, "Last-Event-ID": str(after)}
    silence_s = min(SILENCE_S, patience.left_s())
    async with heard(wire, f"{place_of(job_id)}/events", headers, silence_s) as listening:
        if listening.response.status_code == httpx.codes.NO_CONTENT:
            raise _NothingMore
        messages = Messages()
        async for text in listening.texts():
            came = [event for message in messages.feed(text) if (event := _event(message))]
            for event in came:
                yield event
            if patience.left_s() < silence_s / 2 and not came:
                return  # to listen anew, for no longer than there is patience


async def _looked_at(wire: Wire, job_id: str, after: int, patience: _Patience) -> AsyncGenerator[Event, None]:
    """The changes that are seen by looking, as often as the service says."""
    while True:
        response = await ask(wire, "GET", place_of(job_id))
        job = read_job(response)
        if job.revision > after:
            yield _seen(job)
            after = job.revision
        if job.is_over:
            return
        await wire.pause(min(retry_after_s(response) or COME_BACK_S, patience.left_s()))


def _event(message: Message) -> Event | None:
    """What the message tells; None of a later service's in words unknown here. Raises NotThere: the job was erased."""
    if message.name == "erased":
        raise refusal(ProblemDocument.model_validate_json(message.data, extra="ignore"), None)
    try:
        return Event.model_validate(from_json(message.data), extra="ignore")
    except (ValidationError, ValueError):
        return None


def _seen(job: Job) -> Event:
    return Event(
        revision=job.revision, at=datetime.now(UTC), status=job.status, attempt=job.attempt, progress=job.progress,
        error=job.error,
    )  # fmt: skip
