"""A job's changes as they happen: server-sent events, each once, resumed where a connection broke."""

from collections.abc import AsyncIterator
from typing import Annotated

import anyio
from fastapi import APIRouter, Header, Request, Response
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from starlette.concurrency import run_in_threadpool

from app.answers import LOOK_S
from app.openapi.examples import STREAM
from app.openapi.problems import ANY_JOB, problems
from app.problem import Problem, problem_response
from app.service import Service, ServiceDep
from jobs.errors import ErasedJob

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

HEARTBEAT_S = 10.0
RECONNECT_MS = 1000
UNBUFFERED = {"X-Accel-Buffering": "no"}  # what nginx needs to be told

LastEventId = Annotated[
    str, Header(pattern=r"^[0-9]{0,15}$", description="The `id` of the last event that was read: go on after it")
]


@router.get("/{job_id}/events", response_class=Response, responses=STREAM | problems(*ANY_JOB))
async def read_events(job_id: str, request: Request, service: ServiceDep, last_event_id: LastEventId = "") -> Response:
    """Every change of the job's state, stage and step, once each and in order, from its beginning or after
    `Last-Event-ID`. The stream ends with the job; a job that is erased meanwhile ends it with the event `erased`.
    """
    return await event_response(request, service, job_id, last_event_id)


async def event_response(request: Request, service: Service, job_id: str, last_event_id: str) -> Response:
    """The stream; 204, which tells browsers not to come back, when its last event was read. Raises LedgerError."""
    job = await run_in_threadpool(service.ledger.get, job_id)
    read = min(int(last_event_id or 0), job.revision)  # a store that lost its last second is behind who watched it
    if job.is_over and read >= job.revision:
        return Response(status_code=204)
    stream = () if request.state.is_head else _stream(service, job_id, read, request.state.request_id)
    return EventSourceResponse(stream, headers=UNBUFFERED)


async def _stream(service: Service, job_id: str, read: int, request_id: str) -> AsyncIterator[bytes]:
    """The events after that revision, as they happen; ends early when the server stops."""
    yield format_sse_event(retry=RECONNECT_MS)
    silent_since, is_due = anyio.current_time(), True
    while not service.stopping.has_begun:
        try:
            service.check_key()
            events = await run_in_threadpool(service.ledger.events, job_id, read) if is_due else ()
        except ErasedJob:
            problem = Problem("erased_job", "the job was erased or has expired")
            yield format_sse_event(event="erased", data_str=bytes(problem_response(problem, request_id).body).decode())
            return
        except Problem:  # its key was revoked: who comes back is told so
            return
        for event in events:
            yield format_sse_event(id=str(event.revision), event=event.name, data_str=event.model_dump_json())
            read, silent_since = event.revision, anyio.current_time()
            if event.is_last:
                return
        if anyio.current_time() - silent_since >= HEARTBEAT_S:
            yield KEEPALIVE_COMMENT
            silent_since = anyio.current_time()
        if not events:
            with service.stopping.patience(LOOK_S) as wait:
                await service.changes.after(job_id, read)
            is_due = not wait.cancelled_caught
