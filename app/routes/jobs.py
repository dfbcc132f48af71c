"""Jobs over HTTP: send a photo, watch, fetch the result, erase."""

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal

import anyio
from fastapi import APIRouter, Header, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from app.form import read_form
from app.photo.decoder import DecodedPhoto
from app.photo.formats import LONGEST_SIDE_PX
from app.problem import PROBLEMS, FieldError, Problem, noted
from app.service import Service, ServiceDep
from app.submission import form_schema
from jobs.errors import ErasedJob
from jobs.job import Candidate, DetectInput, Job, JobInput, Output, OutputPhoto, Source
from jobs.wish import OutputFormat, Wish
from model_store.catalog import Catalog

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses=PROBLEMS)

POLL_S = 0.2  # between two looks at the ledger while a client waits
PREFER_WAIT = re.compile(r"(?:^|[\s,;])wait\s*=\s*\"?(\d{1,6})", re.IGNORECASE)

Prefer = Annotated[str, Header(description="`wait=n` holds the answer until the job is over, n seconds at most")]
IfNoneMatch = Annotated[str, Header(description="An earlier ETag: 304 if nothing changed")]
CandidateNumber = Annotated[int, Query(ge=0, description="Which of several pictures to choose from")]
FORM = form_schema(Wish, {"photo": "A JPEG, PNG or WebP photo with a face"}, ["photo"])


@router.post("", status_code=202, response_model=Job, openapi_extra=FORM)
async def create_job(request: Request, service: ServiceDep, prefer: Prefer = "") -> Response:
    """Protect a photo. Answers 202 and the job to watch, or 200 if `Prefer: wait=n` saw it end."""
    async with read_form(request, Wish, "photo", (), service.settings.max_upload_bytes) as sent:
        catalog = service.catalog
        form = sent.accept(_not_on_offer(service, catalog, sent.known))
        submission = form.fields
        style = catalog.style_for(submission.reference_id, submission.target_id)
        async with service.decoder.decode(form.uploads["photo"]) as photo:
            _check_size(submission.output_format, photo)
            style_ids = {"reference_id": style.reference, "target_id": style.target}
            asked = JobInput.model_validate(dict(submission) | style_ids | dict(stored(photo)))
            job_id = await service.enqueue(photo.png, asked)
    return await accepted(service, job_id, prefer)


def stored(photo: DecodedPhoto) -> DetectInput:
    """What a job record tells of its photo."""
    source = Source.model_validate(asdict(photo.source))
    return DetectInput(width=photo.width, height=photo.height, bytes=photo.size_bytes, source=source)


def _not_on_offer(service: Service, catalog: Catalog, wish: Mapping[str, Any]) -> list[FieldError]:
    """What this service or its bundle cannot do. wish: the well-formed fields; others tell nothing."""
    refused: list[FieldError] = []
    target = _target_of(catalog, wish, refused)
    output_format = wish.get("output_format")
    if output_format in ("avif", "heic") and output_format not in service.settings.extra_formats:
        detail = f"this service does not write {output_format}"
        refused.append(FieldError(param="output_format", code="invalid_field", detail=detail))
    offered = len({style.reference for style in catalog.styles if style.target == target})
    if target is not None and wish.get("vary") == "look" and offered < wish.get("candidates", 1):
        detail = f"the target {target!r} has {offered} looks to choose from"
        refused.append(FieldError(param="candidates", code="invalid_field", detail=detail))
    with noted(refused):
        catalog.check_effort(wish.get("effort"))
    return refused + _unknown_judges(service.judges, wish.get("judges"))


def _unknown_judges(judging: Collection[str], wanted: Collection[str] | None) -> list[FieldError]:
    """The recognisers of libraries that are asked for and do not judge here."""
    known = f"there are {', '.join(judging)}" if judging else "there is none"
    return [
        FieldError(param="judges", code="judge_missing", detail=f"no recogniser {name!r} judges here: {known}")
        for name in wanted or ()
        if name not in judging
    ]


def _target_of(catalog: Catalog, wish: Mapping[str, Any], refused: list[FieldError]) -> str | None:
    """Whom the wish is to resemble, None where that cannot be told; adds to `refused` what is not in the catalog."""
    reference, target = wish.get("reference_id"), wish.get("target_id")
    if reference is not None:
        with noted(refused):
            catalog.reference(reference)
    if target is not None:
        with noted(refused):
            catalog.target(target)
    if reference is not None and "target_id" in wish and not refused:
        with noted(refused):
            return catalog.style_for(reference, target).target
    return target if any(card.id == target for card in catalog.targets) else None


def _check_size(output_format: OutputFormat, photo: DecodedPhoto) -> None:
    """Refuse a format that cannot hold a photo of that size. Raises Problem."""
    most = LONGEST_SIDE_PX.get(output_format)
    if most and max(photo.width, photo.height) > most:
        size = f"the photo is {photo.width} by {photo.height} pixels"
        detail = f"{size}; {output_format} holds {most} a side at most: ask for png"
        raise Problem("invalid_field", detail, param="output_format")


async def accepted(service: Service, job_id: str, prefer: str) -> Response:
    """The answer to whoever sent a job: 202 and where to watch it, or 200 when `prefer` saw it end."""
    job, waited = await _settled(service, job_id, prefer)
    headers = waited | {"Location": f"/v1/jobs/{job_id}"}
    return _job_response(job, headers, status=200 if job.is_over else 202)


@router.get("/{job_id}", response_model=Job)
async def read_job(job_id: str, service: ServiceDep, prefer: Prefer = "", if_none_match: IfNoneMatch = "") -> Response:
    """Status, progress, scores and timings. A failed job is an answer like any other: 200 with its `error`."""
    job, waited = await _settled(service, job_id, prefer)
    return _job_response(job, waited, if_none_match=if_none_match)


@router.post("/{job_id}/cancel", status_code=202, response_model=Job)
async def cancel_job(job_id: str, service: ServiceDep) -> Response:
    """Stop a job: at once if it waits, at the next step if it runs. One that is over answers 409."""
    if not await run_in_threadpool(service.ledger.cancel, job_id):
        raise Problem("job_over", "the job is over already")
    job, _ = await _settled(service, job_id, "")
    return _job_response(job, {}, status=202)


@router.delete("/{job_id}", status_code=204)
def erase_job(job_id: str, service: ServiceDep) -> None:
    """Erase photo, result and scores now, whatever the job is doing. From then on it answers 410."""
    service.ledger.erase(job_id)


@router.get("/{job_id}/result", response_class=Response)
def read_result(
    job_id: str, service: ServiceDep, candidate: CandidateNumber = 0, if_none_match: IfNoneMatch = ""
) -> Response:
    """The protected photo, in the size of the upload."""
    return _picture_response(service, job_id, "result", candidate, if_none_match)


@router.get("/{job_id}/comparison", response_class=Response)
def read_comparison(
    job_id: str, service: ServiceDep, candidate: CandidateNumber = 0, if_none_match: IfNoneMatch = ""
) -> Response:
    """Before and after side by side, with the scores in the caption (JPEG)."""
    return _picture_response(service, job_id, "comparison", candidate, if_none_match)


async def _settled(service: Service, job_id: str, prefer: str) -> tuple[Job, dict[str, str]]:
    """The job once it is over or the wait that `prefer` asks for has passed, and the header that says so."""
    wish = PREFER_WAIT.search(prefer)
    wait_s = min(int(wish[1]), service.settings.max_wait_s) if wish else 0
    deadline = anyio.current_time() + wait_s
    while True:
        job = await run_in_threadpool(service.ledger.get, job_id)
        if job.is_over or service.stopping.has_begun or anyio.current_time() >= deadline:
            return job, {"Preference-Applied": f"wait={wait_s}"} if wish else {}
        with service.stopping.patience(POLL_S):
            await anyio.sleep_forever()


def _job_response(job: Job, headers: dict[str, str], status: int = 200, if_none_match: str = "") -> Response:
    here = f"/v1/jobs/{job.id}"
    links = {"self": here}
    output = job.output
    if output and output.photo:
        links |= {"result": f"{here}/result", "comparison": f"{here}/comparison"}
        photo = _found_at(output.photo, links["result"])
        output = output.model_copy(update={"photo": photo, "candidates": _candidates(output, here)})
    body = job.model_copy(update={"links": links, "output": output}).model_dump_json().encode()
    headers = headers | {"ETag": _etag(body), "Cache-Control": "private, no-cache"}
    if not job.is_over:
        headers["Retry-After"] = "1"
    if _matches(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(body, status, headers, "application/json")


def _found_at(photo: OutputPhoto, url: str) -> OutputPhoto:
    return photo.model_copy(update={"url": url})


def _candidates(output: Output, here: str) -> list[Candidate]:
    """The pictures to choose from, each with its address."""
    urls = (f"{here}/result?candidate={number}" for number in range(len(output.candidates)))
    found = zip(output.candidates, urls, strict=True)
    return [each.model_copy(update={"photo": _found_at(each.photo, url)}) for each, url in found]


def _picture_response(
    service: Service, job_id: str, kind: Literal["result", "comparison"], candidate: int, if_none_match: str
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
    if picture is None:  # it expired between the two reads
        raise ErasedJob(job_id)
    media_type = offered[candidate].media_type if kind == "result" else "image/jpeg"
    name = f"{kind}-{job_id[:8]}.{media_type.removeprefix('image/')}"
    headers = {
        "ETag": _etag(picture),
        "Cache-Control": "private, no-cache",
        "Content-Disposition": f'inline; filename="{name}"',
    }
    if _matches(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(picture, headers=headers, media_type=media_type)


def _etag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def _matches(if_none_match: str, etag: str) -> bool:
    """Weak comparison (RFC 9110, 13.1.2): a proxy may have marked our tag as weak."""
    candidates = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return etag in candidates or "*" in candidates
