"""The jobs of a key; without keys all jobs of this service, for the people of this machine alone."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from app.answers import told
from app.openapi.examples import shown
from app.openapi.problems import problems
from app.problem import Problem
from app.service import ServiceDep
from diffam_client.contract.job import Jobs, Kind, Status
from jobs.reading.listing import Wanted

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

Cursor = Annotated[str, Field(pattern=r"^[0-9]{1,12}\.[0-9]{6}$")]


class JobsQuery(BaseModel):
    """Which jobs are asked for."""

    model_config = ConfigDict(extra="forbid")

    status: Status | None = Field(None, description="Only those in this state")
    kind: Kind | None = Field(None, description="Only those of this kind")
    code: str | None = Field(None, max_length=64, description="Only those whose `error` has this code")
    limit: int = Field(20, ge=1, le=100, description="How many at most")
    cursor: Cursor | None = Field(None, description="Where to go on; `Link` of the page before has it")


@router.get("", response_model=Jobs, responses=shown(200, "jobs") | problems("listing_closed"))
async def list_jobs(service: ServiceDep, query: Annotated[JobsQuery, Query()]) -> Response:
    """Your jobs that are there, newest first; `Link: <…>; rel="next"` has the next page.

    Where no keys are asked for, all jobs; and 403 if a proxy lets others in: whoever knows a job's id may read it.
    So for a public key, which is everybody's.
    """
    if service.is_public:
        raise Problem("listing_closed", "a public key is everybody's, so it lists nobody's jobs")
    if service.key is None and service.settings.behind_proxy:
        raise Problem("listing_closed", "there are no keys that tell whose jobs are whose")
    wanted = Wanted(query.status, query.kind, query.code, service.owner if service.key else None)
    jobs, cursor = await run_in_threadpool(service.ledger.page, wanted, query.cursor, query.limit)
    page = Jobs(jobs=[told(job) for job in jobs])
    headers = {"Cache-Control": "private, no-cache"}
    if cursor:
        same = query.model_dump(exclude_unset=True, exclude_none=True)
        headers["Link"] = f'<{router.prefix}?{urlencode(same | {"cursor": cursor})}>; rel="next"'
    return Response(page.model_dump_json(), headers=headers, media_type="application/json")
