"""The command line's side of the HTTP API: offer a photo, follow its job, fetch what came of it."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from time import sleep
from typing import Any, TypedDict, cast

import httpx

from cli.errors import RequestFailed
from diffam_client.contract.job import Kind, Status

POLL_S = 0.2
ATTEMPTS = 8
RETRY_S = 2.0
"""Pause where a busy service does not name one."""
LONGEST_RETRY_S = 60.0
BUSY = (429, 503)

Json = dict[str, Any]
Wait = Callable[[float], object]
"""Like `sleep`; may raise to give up."""


class Refusal(TypedDict):
    """Why a job failed."""

    code: str
    message: str


class PhotoFile(TypedDict):
    """The protected photo's file."""

    media_type: str
    sha256: str
    width: int
    height: int


class Output(TypedDict):
    """What came of a job: of a photo its file and its faces, of a fine-tuning the ids alone.

    faces: as `diffam_client.contract.report` says.  candidates: as `diffam_client.contract.job` says.
    """

    photo: PhotoFile
    faces: list[Json]
    candidates: list[Json]
    reference_id: str | None
    target_id: str | None


class Job(TypedDict):
    """A job as a service tells it; `diffam_client.contract.job.Job` says what the fields mean.

    What a later service may tell in words unknown here stays JSON until somebody reads it.
    """

    id: str
    kind: Kind
    status: Status
    revision: int
    attempt: int
    progress: Json | None
    input: Json
    error: Refusal | None
    timings: Json
    bundle: dict[str, str]
    links: dict[str, str]


class FinishedJob(Job):
    """One that succeeded."""

    output: Output


def first_reference(client: httpx.Client) -> str:
    """The id of the first reference on offer."""
    references = read(client.get("/v1/references")).json()["references"]
    return str(references[0]["id"])


def targets_of(client: httpx.Client, reference: str) -> list[str]:
    """The targets that the service has a style for with this reference. Raises RequestFailed."""
    try:
        references = read(client.get("/v1/references")).json()["references"]
    except httpx.TransportError as error:
        raise RequestFailed("service_unreachable", f"no answer from {client.base_url}: {error}") from error
    for card in references:
        if card["id"] == reference and card["targets"]:
            return [str(target) for target in card["targets"]]
    raise RequestFailed("unknown_reference", f"the service has no style for the reference {reference!r}")


def submit(
    client: httpx.Client,
    photo: bytes,
    reference: str,
    target: str | None,
    wish: Mapping[str, str] | None = None,
    wait: Wait = sleep,
) -> Job:
    """Offer `photo` with any other form fields in `wish`; returns the accepted job. Raises RequestFailed."""
    fields = {**(wish or {}), "reference_id": reference} | ({"target_id": target} if target else {})
    job: Job = read(ask(client, "POST", "/v1/jobs", wait, data=fields, files={"photo": ("photo", photo)})).json()
    return job


def follow(client: httpx.Client, job: Job, on_change: Callable[[Job], None], wait: Wait = sleep) -> FinishedJob:
    """Poll until the job is over and return its last state. Raises RequestFailed when it failed."""
    while job["status"] in ("queued", "running"):
        on_change(job)
        wait(POLL_S)
        job = read(ask(client, "GET", f"/v1/jobs/{job['id']}", wait)).json()
    on_change(job)
    if job["status"] != "succeeded":
        error = job["error"] or {"code": job["status"], "message": "no reason given"}
        raise RequestFailed(error["code"], error["message"])
    return cast(FinishedJob, job)


def fetch(client: httpx.Client, job: Job, part: str, wait: Wait = sleep) -> bytes:
    """The bytes of `part`: "result" or "comparison". Raises RequestFailed."""
    return read(ask(client, "GET", f"/v1/jobs/{job['id']}/{part}", wait)).content


def erase(client: httpx.Client, job: Job) -> None:
    """Erase photo and result now; what cannot be erased goes when it expires."""
    with suppress(httpx.TransportError):
        client.delete(f"/v1/jobs/{job['id']}")


def ask(client: httpx.Client, method: str, path: str, wait: Wait = sleep, **content: Any) -> httpx.Response:
    """The answer, asked for again while the service is busy (429, 503) or away. Raises RequestFailed.

    A request that changes something is repeated only where it cannot have arrived.
    """
    again = httpx.ConnectError if method == "POST" else httpx.TransportError
    for attempt in range(1, ATTEMPTS + 1):
        try:
            answer = client.request(method, path, **content)
        except httpx.TransportError as error:
            if attempt == ATTEMPTS or not isinstance(error, again):
                raise RequestFailed("service_unreachable", f"no answer from {client.base_url}: {error}") from error
            wait(RETRY_S)
            continue
        if answer.status_code not in BUSY or attempt == ATTEMPTS:
            break
        wait(_pause_s(answer))
    return answer


def _pause_s(answer: httpx.Response) -> float:
    """What the service asks for in seconds; a date, which it may write too, counts as nothing said."""
    wish = answer.headers.get("Retry-After", "")
    return min(float(wish), LONGEST_RETRY_S) if wish.isdecimal() else RETRY_S


def read(response: httpx.Response) -> httpx.Response:
    """The response, unless it is a problem document. Raises RequestFailed."""
    if response.is_success:
        return response
    try:
        problem = response.json()
        code, detail = problem["code"], problem["detail"]
    except (ValueError, KeyError, TypeError):
        raise RequestFailed(f"HTTP {response.status_code}", f"from {response.request.url.path}") from None
    raise RequestFailed(code, detail)
