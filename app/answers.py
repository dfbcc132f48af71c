"""How a job is answered: what it says, the addresses of what can be done with it, and how long the answer waits."""

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Annotated

import anyio
from fastapi import Header, Response
from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool

from app.problem import Problem
from app.repeats import REPLAYED
from app.service import Service
from diffam_client.contract.job import Candidate, Job, Output, OutputPhoto
from jobs.errors import UnknownJob
from jobs.new_job import Accepted
from jobs.settings import Settings

UNDO_TYPE = "application/octet-stream"
LOOK_S = 0.5  # between two looks at whether a client that waits may still do so
PREFER_WAIT = re.compile(r"(?:^|[\s,;])wait\s*=\s*\"?(\d{1,6})", re.IGNORECASE)

Prefer = Annotated[str, Header(description="`wait=n` holds the answer until the job is over, n seconds at most")]
IfNoneMatch = Annotated[str, Header(description="An earlier ETag: 304 if nothing changed")]


async def accepted(service: Service, new: Accepted, prefer: str, undo_key: str | None = None) -> Response:
    """The answer to whoever sent a job: 202 and where to watch it, or 200 when it is over or `prefer` saw it end.

    undo_key: is told in this answer alone.
    """
    job, waited = await settled(service, new.job_id, prefer)
    job = job.model_copy(update={"undo_key": undo_key})
    replayed = REPLAYED if new.is_repeat else {}
    headers = waited | replayed | {"Location": f"/v1/jobs/{new.job_id}"}
    return job_response(job, headers, status=200 if job.is_over else 202)


async def answered_once(service: Service, new: Accepted, prefer: str, undo_key: str | None = None) -> Response:
    """The job with its pictures inside, as data URLs; then nothing of it is left. Raises Problem: it took too long."""
    try:
        job, waited = await settled(service, new.job_id, prefer)
        if not job.is_over:
            raise Problem("not_in_time", "the job was not over in the time that Prefer gave it, and is erased")
        job = job.model_copy(update={"undo_key": undo_key})
        body = await run_in_threadpool(_with_pictures, service, job)
    finally:
        with anyio.CancelScope(shield=True), suppress(UnknownJob, RedisError):
            await run_in_threadpool(service.ledger.erase, new.job_id)
    return Response(body, headers=waited | {"Cache-Control": "no-store"}, media_type="application/json")


def _with_pictures(service: Service, job: Job) -> str:
    """The job as JSON, its pictures in the place of their addresses."""
    if job.output is None or job.output.photo is None:
        return job.model_dump_json()

    def inside(photo: OutputPhoto, number: int) -> OutputPhoto:
        undo = service.ledger.blob("undo", job.id, number)
        picture = _data_url(photo.media_type, service.ledger.blob("result", job.id, number) or b"")
        return _found_at(photo, picture, None if undo is None else _data_url(UNDO_TYPE, undo))

    chosen = inside(job.output.photo, 0)
    others = [
        each.model_copy(update={"photo": inside(each.photo, number) if number else chosen})
        for number, each in enumerate(job.output.candidates)
    ]
    output = job.output.model_copy(update={"photo": chosen, "candidates": others})
    return job.model_copy(update={"output": output}).model_dump_json()


def _data_url(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def wait_of(prefer: str, settings: Settings) -> int | None:
    """How many seconds `Prefer: wait=n` asks for, as far as they are granted; None without it."""
    wish = PREFER_WAIT.search(prefer)
    return min(int(wish[1]), settings.max_wait_s) if wish else None


async def settled(service: Service, job_id: str, prefer: str) -> tuple[Job, dict[str, str]]:
    """The job once it is over or the wait that `prefer` asks for has passed, and the header that says so.

    Raises LedgerError, and Problem where the key was revoked meanwhile.
    """
    wait_s = wait_of(prefer, service.settings)
    deadline = anyio.current_time() + (wait_s or 0)
    while True:
        service.check_key()
        job = await run_in_threadpool(service.ledger.get, job_id)
        if job.is_over or service.stopping.has_begun or anyio.current_time() >= deadline:
            return job, {} if wait_s is None else {"Preference-Applied": f"wait={wait_s}"}
        with service.stopping.patience(min(LOOK_S, deadline - anyio.current_time())):
            await service.changes.after(job_id, job.revision)


def job_response(job: Job, headers: Mapping[str, str], status: int = 200, if_none_match: str = "") -> Response:
    """The job as JSON, or 304."""
    body = told(job).model_dump_json().encode()
    headers = {**headers, "ETag": etag(body), "Cache-Control": "private, no-cache"}
    if not job.is_over:
        headers["Retry-After"] = "1"
    if matches(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(body, status, headers, "application/json")


def told(job: Job) -> Job:
    """The job with its addresses."""
    here = f"/v1/jobs/{job.id}"
    output = job.output
    if output and output.photo:
        photo = _found_at(output.photo, f"{here}/result", f"{here}/undo" if job.is_undoable else None)
        output = output.model_copy(update={"photo": photo, "candidates": _candidates(job, output, here)})
    return job.model_copy(update={"links": dict(_links(job, here)), "output": output})


def _links(job: Job, here: str) -> Iterator[tuple[str, str]]:
    """What can be done with the job now."""
    yield from {"self": here, "events": f"{here}/events"}.items()
    if job.output and job.output.photo:
        yield from {"result": f"{here}/result", "comparison": f"{here}/comparison"}.items()
        if job.is_undoable:
            yield "undo", f"{here}/undo"
    if not job.is_over:
        yield "cancel", f"{here}/cancel"
    if job.retry_before:
        yield "retry", f"{here}/retry"
    if job.webhook:
        yield "deliveries", f"{here}/deliveries"
        if job.has_told:
            yield "redeliver", f"{here}/redeliver"
    yield "erase", here


def _found_at(photo: OutputPhoto, url: str, undo_url: str | None) -> OutputPhoto:
    return photo.model_copy(update={"url": url, "undo_url": undo_url})


def _candidates(job: Job, output: Output, here: str) -> list[Candidate]:
    """The pictures to choose from, each with its addresses."""
    found = []
    for number, each in enumerate(output.candidates):
        undo_url = f"{here}/undo?candidate={number}" if job.is_undoable else None
        photo = _found_at(each.photo, f"{here}/result?candidate={number}", undo_url)
        found.append(each.model_copy(update={"photo": photo}))
    return found


def etag(body: bytes) -> str:
    """A strong tag of an answer's body."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def matches(if_none_match: str, tag: str) -> bool:
    """Weak comparison (RFC 9110, 13.1.2): a proxy may have marked our tag as weak."""
    candidates = {each.strip().removeprefix("W/") for each in if_none_match.split(",")}
    return tag in candidates or "*" in candidates
