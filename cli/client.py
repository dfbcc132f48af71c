"""The demo's side of the HTTP API: offer a photo, follow its job, fetch what came of it."""

from collections.abc import Callable
from time import sleep
from typing import Any

import httpx

from cli.errors import RequestFailed

POLL_S = 0.2
Job = dict[str, Any]


def first_reference(client: httpx.Client) -> str:
    """The id of the first look on offer."""
    looks = read(client.get("/v1/references")).json()["references"]
    return str(looks[0]["id"])


def submit(client: httpx.Client, photo: bytes, reference: str, target: str | None) -> Job:
    """Offer `photo`; returns the accepted job. Raises RequestFailed."""
    fields = {"reference_id": reference} | ({"target_id": target} if target else {})
    job: Job = read(client.post("/v1/jobs", data=fields, files={"photo": ("photo", photo)})).json()
    return job


def follow(client: httpx.Client, job: Job, on_change: Callable[[Job], None]) -> Job:
    """Poll until the job is over and return its last state. Raises RequestFailed when it failed."""
    while job["status"] in ("queued", "running"):
        on_change(job)
        sleep(POLL_S)
        job = read(client.get(f"/v1/jobs/{job['id']}")).json()
    on_change(job)
    if job["status"] != "succeeded":
        error = job.get("error") or {}
        raise RequestFailed(f"{error.get('code', job['status'])}: {error.get('message', 'no reason given')}")
    return job


def fetch(client: httpx.Client, job: Job, part: str) -> bytes:
    """The bytes of `part`: "result" or "comparison". Raises RequestFailed."""
    return read(client.get(f"/v1/jobs/{job['id']}/{part}")).content


def read(response: httpx.Response) -> httpx.Response:
    """The response, unless it is a problem document. Raises RequestFailed."""
    if response.is_success:
        return response
    try:
        problem = response.json()
        raise RequestFailed(f"{problem['code']}: {problem['detail']}")
    except (ValueError, KeyError, TypeError):
        raise RequestFailed(f"HTTP {response.status_code} from {response.request.url.path}") from None
