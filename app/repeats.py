"""Requests that may come again: known by an `Idempotency-Key`, or by the id that the client chose for its job."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import IO, Annotated

import structlog
from fastapi import Path, Request
from pydantic import AfterValidator, BaseModel
from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool

from app.form import Form, SentForm
from app.service import Service
from jobs.errors import LedgerError
from jobs.ledger import READING_S
from jobs.new_job import Accepted, Once

log = structlog.get_logger()

ID = r"^[A-Za-z0-9_-]{22,64}$"
LEAST_DIFFERENT = 8  # characters of an id: one in ten million random ones of 32 hexadecimal digits has fewer
RENEWALS = 3  # of a reservation, in the time that it lasts
REPLAYED = {"Idempotent-Replayed": "true"}


def _unguessable(job_id: str) -> str:
    """Whoever knows a job's id may read it, so a short or monotonous one is refused."""
    if len(set(job_id)) < LEAST_DIFFERENT:
        raise ValueError(f"an id has {LEAST_DIFFERENT} different characters at least; draw 128 random bits")
    return job_id


NewId = Annotated[
    str,
    Path(pattern=ID, description="An id that nobody can guess, as a random UUID: whoever knows it may read the job"),
    AfterValidator(_unguessable),
]


def by_key(service: Service, idempotency_key: str | None) -> Once | None:
    """How the request is known, if it is to be."""
    return Once.by_key(idempotency_key, service.owner) if idempotency_key else None


@asynccontextmanager
async def read_once(service: Service, once: Once | None) -> AsyncIterator[None]:
    """Read the request inside the block; whoever sends the same meanwhile is told to come back. Raises BeingRead."""
    if once is None:
        yield
        return
    reader = secrets.token_hex(8)
    await run_in_threadpool(service.ledger.reserve, once, reader)
    renewing = asyncio.create_task(_renew(service, once, reader))
    try:
        yield
    finally:
        renewing.cancel()
        with suppress(RedisError):
            await asyncio.shield(run_in_threadpool(service.ledger.give_back, once, reader))


async def recognised(
    service: Service, once: Once | None, request: Request, fields: BaseModel, files: Mapping[str, IO[bytes]]
) -> tuple[Once | None, Accepted | None]:
    """`once` with the digest of what was sent, and the job of an earlier time, if there was one. Raises LedgerError.

    It is compared as it was sent, before any photo is decoded and whatever is on offer by now.
    """
    if once is None:
        return None, None
    said = f"{request.method} {request.url.path} {fields.model_dump_json(exclude_defaults=True)}"
    sealed = await run_in_threadpool(once.sealed, said, files)
    made = await run_in_threadpool(service.ledger.made_before, sealed)
    return sealed, Accepted(made, is_repeat=True) if made else None


async def recognised_form(
    service: Service, once: Once | None, request: Request, sent: SentForm[Form]
) -> tuple[Once | None, Accepted | None]:
    """The same of a form; one that is wrong was never taken before. Raises LedgerError."""
    if not sent.is_right:
        return once, None
    form = sent.accept()
    return await recognised(service, once, request, form.fields, form.uploads)


async def _renew(service: Service, once: Once, reader: str) -> None:
    """A process that dies over a request holds it for READING_S at most; one that lives, until it is read."""
    while True:
        await asyncio.sleep(READING_S / RENEWALS)
        try:
            await run_in_threadpool(service.ledger.reserve, once, reader)
        except (LedgerError, RedisError) as error:
            log.warning("reservation_lost", error=type(error).__name__)
