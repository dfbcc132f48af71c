"""What a finished job leaves: the protected photo, before and after, and the file that undoes it."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from app.answers import UNDO_TYPE, IfNoneMatch, etag, matches
from app.openapi.examples import UNCHANGED, files
from app.openapi.problems import ANY_JOB, problems
from app.problem import Problem
from app.service import Service, ServiceDep
from jobs.errors import ErasedJob

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

LEFT = UNCHANGED | problems(*ANY_JOB, "job_failed", "result_not_ready", "not_found")
PICTURE = files("image/png", "image/jpeg", "image/webp", "image/avif", "image/heic") | LEFT

CandidateNumber = Annotated[int, Query(ge=0, description="Which of several pictures to choose from")]


@router.get("/{job_id}/result", response_class=Response, responses=PICTURE)
def read_result(
    job_id: str, service: ServiceDep, candidate: CandidateNumber = 0, if_none_match: IfNoneMatch = ""
) -> Response:
    """The protected photo, in the size of the upload."""
    return _picture_response(service, job_id, "result", candidate, if_none_match)


@router.get("/{job_id}/comparison", response_class=Response, responses=files("image/jpeg") | LEFT)
def read_comparison(
    job_id: str, service: ServiceDep, candidate: CandidateNumber = 0, if_none_match: IfNoneMatch = ""
) -> Response:
    """Before and after side by side, with the scores in the caption (JPEG)."""
    return _picture_response(service, job_id, "comparison", candidate, if_none_match)


@router.get("/{job_id}/undo", response_class=Response, responses=files(UNDO_TYPE) | LEFT)
def read_undo(
    job_id: str, service: ServiceDep, candidate: CandidateNumber = 0, if_none_match: IfNoneMatch = ""
) -> Response:
    """The file with which `diffam undo` brings the original pixels back, for whoever has the key."""
    return _picture_response(service, job_id, "undo", candidate, if_none_match)


def _picture_response(
    service: Service, job_id: str, kind: Literal["result", "comparison", "undo"], candidate: int, if_none_match: str
) -> Response:
    job = service.ledger.get(job_id)
    if job.error:
        raise Problem("job_failed", f"the job failed: {job.error.code}")
    if job.output is None:
        raise Problem("result_not_ready", f"the job is {job.status}")
    if job.output.photo is None:
        raise Problem("not_found", "a job of this kind has no picture")
    offered = [each.photo for each in job.output.candidates] or [job.output.photo]
    if candidate >= len(offered):
        raise Problem("not_found", f"the job has {len(offered)} pictures, counted from 0", param="candidate")
    picture = service.ledger.blob(kind, job_id, candidate)
    if picture is None and kind == "undo" and not job.is_undoable:
        raise Problem("not_found", "the job was sent without undo=1")
    if picture is None:  # it expired between the two reads
        raise ErasedJob(job_id)
    types = {"result": offered[candidate].media_type, "comparison": "image/jpeg", "undo": UNDO_TYPE}
    media_type = types[kind]
    name = f"{kind}-{job_id[:8]}.{'undo' if kind == 'undo' else media_type.removeprefix('image/')}"
    headers = {
        "ETag": etag(picture),
        "Cache-Control": "private, no-cache",
        "Content-Disposition": f'inline; filename="{name}"',
    }
    if matches(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(picture, headers=headers, media_type=media_type)
