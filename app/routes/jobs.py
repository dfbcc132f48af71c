"""A job over HTTP, once it is there: watch it, cancel it, erase it."""

from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from fastapi.sse import EventSourceResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from app.answers import IfNoneMatch, Prefer, accepted, job_response, settled
from app.openapi.examples import JOB_MADE, STREAM, UNCHANGED, shown
from app.openapi.problems import ANY_JOB, NEW_JOB, problems
from app.problem import Problem
from app.routes.events import LastEventId, event_response
from app.service import ServiceDep
from diffam_client.contract.job import Job

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

JOB = shown(
    200, "queued_job", "running_job", "succeeded_job", "failed_job", "canceled_job", others=STREAM[200]["content"]
)
READ = STREAM | JOB | UNCHANGED | problems(*ANY_JOB)


class ReadingHeaders(BaseModel):
    """How a job is to be told."""

    prefer: Prefer = ""
    if_none_match: IfNoneMatch = ""
    accept: str = Field("", description="`text/event-stream` for its changes as they happen, as at `/events`")
    last_event_id: LastEventId = ""


@router.get("/{job_id}", response_model=Job, responses=READ)
async def read_job(
    job_id: str, request: Request, service: ServiceDep, headers: Annotated[ReadingHeaders, Header()]
) -> Response:
    """Status, progress, scores and timings. A failed job is an answer like any other: 200 with its `error`.

    With `Accept: text/event-stream` it is answered as `/events` is.
    """
    if EventSourceResponse.media_type in headers.accept.lower():
        return await event_response(request, service, job_id, headers.last_event_id)
    job, waited = await settled(service, job_id, headers.prefer)
    return job_response(job, waited | {"Vary": "Accept"}, if_none_match=headers.if_none_match)


@router.post(
    "/{job_id}/cancel",
    status_code=202,
    response_model=Job,
    responses=shown(202, "canceled_job") | problems(*ANY_JOB, "job_over"),
)
async def cancel_job(job_id: str, service: ServiceDep) -> Response:
    """Stop a job: at once if it waits, at the next step if it runs. One that is over answers 409."""
    if not await run_in_threadpool(service.ledger.cancel, job_id):
        raise Problem("job_over", "the job is over already")
    job, _ = await settled(service, job_id, "")
    return job_response(job, {}, status=202)


@router.post(
    "/{job_id}/retry",
    status_code=202,
    response_model=Job,
    responses=JOB_MADE | problems(*ANY_JOB, *NEW_JOB, "job_not_retryable"),
)
async def retry_job(job_id: str, service: ServiceDep, prefer: Prefer = "") -> Response:
    """Try once more, in a new job of the same wish and photo; the old one stays as it is, and its photo moves.

    For a job that failed where another time may be better, or was canceled by a deadline, until its `retry_before`.
    Whoever asks again gets the same new job.
    """
    made = await run_in_threadpool(service.ledger.retry, job_id, service.most_at_once, service.traceparent)
    await service.ring(made, await run_in_threadpool(service.ledger.kind, made.job_id))
    return await accepted(service, made, prefer)


@router.delete("/{job_id}", status_code=204, responses=problems(*ANY_JOB))
def erase_job(job_id: str, service: ServiceDep) -> None:
    """Erase photo, result and scores now, whatever the job is doing. From then on it answers 410."""
    service.ledger.erase(job_id)
