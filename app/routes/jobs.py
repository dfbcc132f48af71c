"""A job over HTTP, once it is there: watch it, cancel it, erase it."""

from fastapi import APIRouter, Response
from starlette.concurrency import run_in_threadpool

from app.answers import IfNoneMatch, Prefer, job_response, settled
from app.problem import PROBLEMS, Problem
from app.service import ServiceDep
from jobs.job import Job

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses=PROBLEMS)


@router.get("/{job_id}", response_model=Job)
async def read_job(job_id: str, service: ServiceDep, prefer: Prefer = "", if_none_match: IfNoneMatch = "") -> Response:
    """Status, progress, scores and timings. A failed job is an answer like any other: 200 with its `error`."""
    job, waited = await settled(service, job_id, prefer)
    return job_response(job, waited, if_none_match=if_none_match)


@router.post("/{job_id}/cancel", status_code=202, response_model=Job)
async def cancel_job(job_id: str, service: ServiceDep) -> Response:
    """Stop a job: at once if it waits, at the next step if it runs. One that is over answers 409."""
    if not await run_in_threadpool(service.ledger.cancel, job_id):
        raise Problem("job_over", "the job is over already")
    job, _ = await settled(service, job_id, "")
    return job_response(job, {}, status=202)


@router.delete("/{job_id}", status_code=204)
def erase_job(job_id: str, service: ServiceDep) -> None:
    """Erase photo, result and scores now, whatever the job is doing. From then on it answers 410."""
    service.ledger.erase(job_id)
