"""What a job's webhook was told, and telling it again."""

from fastapi import APIRouter, Response
from starlette.concurrency import run_in_threadpool

from app.answers import job_response, settled
from app.openapi.examples import shown
from app.openapi.problems import ANY_JOB, problems
from app.problem import Problem
from app.service import ServiceDep
from diffam_client.contract.job import Job
from diffam_client.contract.webhook import Deliveries

router = APIRouter(prefix="/v1/jobs", tags=["webhooks"])


@router.get("/{job_id}/deliveries", responses=shown(200, "deliveries") | problems(*ANY_JOB, "not_found"))
def read_deliveries(job_id: str, service: ServiceDep, response: Response) -> Deliveries:
    """Every message, its attempts and when the next one is due. 404 `not_found` where the job has no webhook.

    They are erased with the job.
    """
    told = service.outbox.read(job_id)
    if told is None:
        raise Problem("not_found", "the job has no webhook")
    response.headers["Cache-Control"] = "private, no-cache"
    return told


@router.post(
    "/{job_id}/redeliver",
    status_code=202,
    response_model=Job,
    responses=shown(202, "succeeded_job") | problems(*ANY_JOB, "not_redeliverable"),
)
async def redeliver(job_id: str, service: ServiceDep) -> Response:
    """Send every message again, in their order and at once, with ten retries as before and the same `webhook-id`s.

    An endpoint that answered 410 is challenged anew, and told again if it answers.
    """
    await run_in_threadpool(service.outbox.redeliver, job_id)
    job, _ = await settled(service, job_id, "")
    return job_response(job, {}, status=202)
