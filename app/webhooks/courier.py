"""Delivers what the outbox holds, for as long as the web process runs; several processes share it by leases."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path

import httpx
import structlog
from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool

from app.webhooks.pinned import PinnedTransport
from app.webhooks.sending import Sender
from diffam_client.contract.webhook import Attempt
from jobs.errors import LedgerError
from jobs.settings import Settings
from jobs.tracing import traced
from jobs.webhooks.delivery import Delivery, Outcome
from jobs.webhooks.outbox import Outbox
from jobs.webhooks.secrets import read_secrets

log = structlog.get_logger()

AT_ONCE = 64
LOOK_EVERY_S = 0.5
GRACE_S = 1.0  # for answers that are about to come when the process stops


@asynccontextmanager
async def delivering(outbox: Outbox, settings: Settings) -> AsyncIterator[None]:
    """Deliver inside the block. What is under way when it ends is given back, and delivered by whoever comes next."""
    is_over = asyncio.Event()
    task = asyncio.create_task(_deliver(outbox, settings, is_over))
    try:
        yield
    finally:
        is_over.set()
        await task


async def _deliver(outbox: Outbox, settings: Settings, is_over: asyncio.Event) -> None:
    async with make_client(settings) as client:
        sender = Sender(client, settings.webhook_timeout_s, settings.public_url)
        over, under_way = asyncio.create_task(is_over.wait()), set[asyncio.Task[None]]()
        while not is_over.is_set():
            taken = await _take(outbox, AT_ONCE - len(under_way))
            under_way |= {asyncio.create_task(_one(outbox, sender, settings.webhooks, each)) for each in taken}
            await asyncio.wait({over, *under_way}, timeout=LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
            under_way = {task for task in under_way if not task.done()}
        if under_way:
            await asyncio.wait(under_way, timeout=GRACE_S)
        for task in under_way:
            task.cancel()
        await asyncio.gather(over, *under_way, return_exceptions=True)


def make_client(settings: Settings) -> httpx.AsyncClient:
    """The way out: it follows no redirect and keeps no cookie. Each address of a name gets a third of the patience."""
    return httpx.AsyncClient(
        transport=PinnedTransport(loopback=settings.webhook_loopback),
        timeout=httpx.Timeout(settings.webhook_timeout_s, connect=settings.webhook_timeout_s / 3),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        follow_redirects=False,
    )


async def _take(outbox: Outbox, room: int) -> Sequence[Delivery]:
    """What is due; none where that cannot be had, whatever happened: others are to be told afterwards."""
    if room <= 0:
        return []
    try:
        return await run_in_threadpool(outbox.take, room)
    except RedisError as error:
        log.warning("redis_unreachable", thread="webhooks", error=type(error).__name__)
    except Exception as error:
        log.error("outbox_unreadable", exc_info=error)
    return []


async def _one(outbox: Outbox, sender: Sender, secrets_file: Path, delivery: Delivery) -> None:
    """Make a delivery and note what became of it; should that fail, its lease ends and it is made again."""
    try:
        outcome = await _attempted(sender, secrets_file, delivery)
        await run_in_threadpool(outbox.settle, delivery, outcome)
    except asyncio.CancelledError:
        with suppress(RedisError):
            await asyncio.shield(run_in_threadpool(outbox.release, delivery))
        raise
    except RedisError as error:
        log.warning("delivery_unsettled", job_id=delivery.job_id, error=type(error).__name__)
        return
    told = outcome.attempt
    log.info(
        "webhook_attempted", job_id=delivery.job_id, event_type=delivery.type, ending=outcome.ending,
        status=told.status_code, error=told.error, seconds=told.seconds, **traced(delivery.traceparent),
    )  # fmt: skip


async def _attempted(sender: Sender, secrets_file: Path, delivery: Delivery) -> Outcome:
    """The one place that catches everything: a delivery must end, whatever happened."""
    at = datetime.now(UTC)
    try:
        owned = await run_in_threadpool(read_secrets, secrets_file)
        return await sender.attempt(delivery, [secret.value for secret in owned.get(delivery.owner, ())])
    except Exception as error:
        log.error("webhook_failed", job_id=delivery.job_id, exc_info=None if isinstance(error, LedgerError) else error)
        attempt = Attempt(at=at, message_id=delivery.message_id, status_code=None, error="internal", seconds=0)
        return Outcome("again", attempt)
