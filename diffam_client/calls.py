"""Jobs: send a photo, look at what became of it, stop it, try again, erase it."""

import base64
import secrets
from collections.abc import AsyncGenerator
from typing import Any, Literal, Unpack
from urllib.parse import quote

from diffam_client.answers import ask, read, read_job
from diffam_client.asking import Asked, Photo, form_of, headers_of, photo_bytes
from diffam_client.contract.job import Job, Jobs, Kind, Status
from diffam_client.contract.webhook import Deliveries
from diffam_client.wire import Wire

PAGE = 100


async def submit(wire: Wire, photo: Photo, **asked: Unpack[Asked]) -> Job:
    """Send a photo to be protected; returns the job as it was accepted.

    photo: a path, bytes, or a file that is open for reading.  reference, target: ids of `references` and `targets`.
    strength: 0 to 1, or "auto".  faces: "all", "largest", or numbers that `faces` gave.  store: False keeps nothing;
    the answer comes when the job is over, with the pictures inside, for which `result` reads it.
    ttl_s, expires_in_s, cancel_after_s: seconds until everything is erased after the end, until it is canceled unless
    it has begun, unless it is over.  idempotency_key: drawn at random unless given, so that a request whose answer was
    lost makes no second job; with one of yours, whoever sends the same within 24 hours finds the job of the first time.
    client_ref: what you call the job.  webhook_url: where a message is sent, signed, for each of `webhook_events`.
    undo, undo_key: with True also a file that brings the original pixels back, for which the key is yours:
    `secrets.token_hex(32)`.
    Raises Refused, Unreachable, OSError.
    """
    return await send(wire, "/v1/jobs", {"photo": photo_bytes(photo)}, asked)


async def send(wire: Wire, path: str, files: dict[str, bytes], asked: Any) -> Job:
    """The job that a form makes."""
    headers = once() | headers_of(asked)
    if asked.get("store") is False:
        headers["Prefer"] = f"wait={patience_s(wire)}"
    parts = {name: (name, content) for name, content in files.items()}
    return read_job(await ask(wire, "POST", path, data=form_of(asked), files=parts, headers=headers))


def once() -> dict[str, str]:
    """A header by which a request that comes twice is known."""
    return {"Idempotency-Key": secrets.token_hex(16)}


def patience_s(wire: Wire) -> int:
    """How long an answer may be held back: half of what it may take, in whole seconds."""
    return max(1, int((wire.http.timeout.read or 60) / 2))


async def get(wire: Wire, job: Job | str) -> Job:
    """The job as it stands. Raises NotThere, Refused, Unreachable."""
    return read_job(await ask(wire, "GET", place_of(job)))


async def cancel(wire: Wire, job: Job | str) -> Job:
    """Stop a job: at once if it waits, at its next step if it runs. Raises Conflict: it is over; NotThere, Refused."""
    return read_job(await ask(wire, "POST", f"{place_of(job)}/cancel"))


async def retry(wire: Wire, job: Job | str) -> Job:
    """A new job of the same photo and wish, for one that failed where another time may be better.

    Raises Conflict: there is nothing to be tried again; NotThere, Refused, Unreachable.
    """
    return read_job(await ask(wire, "POST", f"{place_of(job)}/retry"))


async def deliveries(wire: Wire, job: Job | str) -> Deliveries:
    """What its webhook was told, and is to be told. Raises NotThere: it has none; Refused, Unreachable."""
    return read(Deliveries, await ask(wire, "GET", f"{place_of(job)}/deliveries"))


async def redeliver(wire: Wire, job: Job | str) -> Job:
    """Tell its webhook everything again, in order. Raises NotThere, Refused, Unreachable."""
    return read_job(await ask(wire, "POST", f"{place_of(job)}/redeliver"))


async def erase(wire: Wire, job: Job | str) -> None:
    """Erase photo, result and scores now, whatever the job is doing. Raises NotThere, Refused, Unreachable."""
    await ask(wire, "DELETE", place_of(job))


async def result(wire: Wire, job: Job | str, candidate: int = 0) -> bytes:
    """The protected photo's file. candidate: which of several.

    Raises Conflict: it is not over, or it failed; NotThere, Refused, Unreachable.
    """
    inside = _inside(job, candidate)
    return await _picture(wire, job, "result", candidate) if inside is None else inside


async def comparison(wire: Wire, job: Job | str, candidate: int = 0) -> bytes:
    """Before and after side by side, a JPEG. Raises Conflict, NotThere, Refused, Unreachable."""
    return await _picture(wire, job, "comparison", candidate)


async def undo(wire: Wire, job: Job | str, candidate: int = 0) -> bytes:
    """What `diffam undo` restores the original pixels with. Raises Conflict, NotThere, Refused, Unreachable."""
    inside = _inside(job, candidate, "undo_url")
    return await _picture(wire, job, "undo", candidate) if inside is None else inside


async def jobs(
    wire: Wire, status: Status | None = None, kind: Kind | None = None, code: str | None = None
) -> AsyncGenerator[Job, None]:
    """Your jobs that are there, newest first, a page after the other. code: of their errors. Raises Refused."""
    wanted = {"status": status, "kind": kind, "code": code, "limit": PAGE}
    query: dict[str, Any] = {name: value for name, value in wanted.items() if value is not None}
    while True:
        response = await ask(wire, "GET", "/v1/jobs", params=query)
        for job in read(Jobs, response).jobs:
            yield job
        further = response.links.get("next")
        if further is None:
            return
        query["cursor"] = wire.http.base_url.join(further["url"]).params["cursor"]


def id_of(job: Job | str) -> str:
    """Its id."""
    return job if isinstance(job, str) else job.id


def place_of(job: Job | str) -> str:
    """Its address."""
    return f"/v1/jobs/{quote(id_of(job), safe='')}"


async def _picture(wire: Wire, job: Job | str, part: Literal["result", "comparison", "undo"], candidate: int) -> bytes:
    params = {"candidate": candidate} if candidate else None
    return (await ask(wire, "GET", f"{place_of(job)}/{part}", params=params)).content


def _inside(job: Job | str, candidate: int, place: Literal["url", "undo_url"] = "url") -> bytes | None:
    """The picture, or its undo file, that a job of `store=False` brought along."""
    if isinstance(job, str) or job.output is None or job.output.photo is None:
        return None
    offered = [each.photo for each in job.output.candidates] or [job.output.photo]
    url = getattr(offered[candidate], place) if candidate < len(offered) else None
    head, is_data, data = (url or "").partition(",")
    if not is_data or not head.startswith("data:"):
        return None
    return base64.b64decode(data)
