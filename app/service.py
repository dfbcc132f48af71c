"""What the routes work with: built once when the web process starts, never imported as a global."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Annotated

import structlog
from celery import Celery
from fastapi import Depends, FastAPI, Request
from starlette.concurrency import run_in_threadpool

from app.photo.decoder import Decoder
from app.serving.changes import Changes
from app.serving.gate import key_refused
from app.serving.stopping import Stopping
from app.spool import bytes_of
from app.webhooks.courier import delivering
from diffam_client.contract.job import BundleName, Kind
from jobs.access.keys import Guest, Key, Keyring
from jobs.access.quotas import Quotas
from jobs.connect import connect
from jobs.erasure import look_every_s, rewrite_when_due
from jobs.ledger import Ledger
from jobs.new_job import Accepted, NewJob
from jobs.queue import FINETUNE, PROTECT, make_bells, ring
from jobs.reading.overview import Overview
from jobs.repeating import repeating
from jobs.settings import Settings
from jobs.webhooks.outbox import Outbox
from model_store.additions import with_additions
from model_store.catalog import Catalog
from model_store.choice import choose_bundle

log = structlog.get_logger()


DEADLINES_S = 0.5
"""Between two looks for jobs that are past a deadline of theirs; the web does it, for no worker may be there."""


@dataclass(frozen=True)
class Service:
    """The open doors of the web process, and for whom they are open. key: of the request; None: nobody needs one.

    traceparent: of the request, too; "" where none came.
    """

    settings: Settings
    shipped: Catalog
    ledger: Ledger
    bells: dict[Kind, Celery]
    decoder: Decoder
    stopping: Stopping
    judges: tuple[str, ...]
    keyring: Keyring
    quotas: Quotas
    outbox: Outbox
    changes: Changes
    overview: Overview
    key: Key | Guest | None = None
    traceparent: str = ""

    @property
    def is_public(self) -> bool:
        """Whether the key is everybody's, so that having it makes nobody the owner of its jobs."""
        return isinstance(self.key, Key) and self.key.is_public

    @property
    def owner(self) -> str:
        """Whose the jobs of this request are: the id of its key, or ""."""
        return self.key.id if self.key else ""

    @property
    def signed_for(self) -> str | None:
        """Whose secret signs webhooks of those jobs: their owner's; None: nobody's, for a public key is everybody's."""
        return None if self.is_public else self.owner

    @property
    def most_at_once(self) -> int | None:
        """How many of their jobs may wait or run; None: any number."""
        return self.key.quota.jobs_at_once if self.key else None

    def check_key(self) -> None:
        """Raises Problem where the key was revoked since the request began, KeysDamaged."""
        if isinstance(self.key, Key) and not self.keyring.holds(self.key):
            raise key_refused()

    @property
    def catalog(self) -> Catalog:
        """What is on offer now: the bundle's, and what was added to it since."""
        return with_additions(self.shipped, self.added).offer()

    @property
    def added(self) -> Path:
        """Where references and styles that were added lie."""
        return self.settings.added_to(self.shipped.name)

    @property
    def bundle(self) -> BundleName:
        """The models that do the work."""
        return BundleName(name=self.shipped.name, grade=self.shipped.grade)

    async def enqueue(self, new: NewJob, photo: IO[bytes] | None = None, twin: IO[bytes] | None = None) -> Accepted:
        """Write a job down, then ring for it; or find the one that the same request made before.

        photo, twin: open files of PNG bytes, if the job has any. Raises Problem, LedgerError, RedisError.
        """
        self.check_key()
        new = replace(new, owner=self.owner, most_at_once=self.most_at_once, traceparent=self.traceparent)
        with ExitStack() as held:
            pictures = [held.enter_context(bytes_of(file)) if file else None for file in (photo, twin)]
            made = await run_in_threadpool(self.ledger.accept, new, *pictures)
        await self.ring(made, new.kind)
        return made

    async def ring(self, made: Accepted, kind: Kind) -> None:
        """Tell the workers that a new job waits."""
        if not made.is_repeat and not await run_in_threadpool(ring, self.bells[kind], made.job_id):
            log.warning("bell_unheard", job_id=made.job_id)  # the reaper rings again


@asynccontextmanager
async def open_service(app: FastAPI, settings: Settings, stopping: Stopping, keyring: Keyring) -> AsyncIterator[None]:
    """Serve `app` with a Service. Raises StoreError for a missing or damaged bundle, RedisNotConfigured."""
    choice = choose_bundle(settings.bundle, settings.shelf, settings.judges)
    if choice.because:
        log.warning("bundle_chosen", bundle=choice.folder.name, because=choice.because)
    bells = make_bells(settings)
    async with AsyncExitStack() as opened:
        redis = opened.enter_context(connect(settings))
        for bell in (bells[PROTECT], bells[FINETUNE]):
            opened.enter_context(bell)
        rewrite = partial(rewrite_when_due, redis, settings.forget_s)
        opened.enter_context(repeating("erasure", rewrite, look_every_s(settings.forget_s)))
        ledger = Ledger(redis, settings)
        opened.enter_context(repeating("deadlines", ledger.cancel_late, DEADLINES_S))
        outbox = Outbox(redis, settings)
        await opened.enter_async_context(delivering(outbox, settings))
        app.state.service = Service(
            settings, choice.catalog, ledger, bells, Decoder(settings), stopping, choice.judging, keyring,
            Quotas(redis), outbox, Changes(ledger), Overview(redis, settings),
        )  # fmt: skip
        yield


async def service_of(request: Request) -> Service:  # a plain function would take a thread to run in
    service: Service = request.app.state.service
    return replace(service, key=request.state.key, traceparent=request.state.traceparent)


ServiceDep = Annotated[Service, Depends(service_of)]
