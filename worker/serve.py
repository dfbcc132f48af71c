"""The worker's Celery side: it listens for bells, keeps its signs of life and stops when told to."""

from contextlib import ExitStack, closing
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import structlog
import torch

from diffam_client.contract.admin import WorkerFacts
from jobs.connect import connect
from jobs.ledger import Ledger
from jobs.queue import PROTECT, make_bells, ring
from jobs.repeating import repeating
from jobs.settings import Settings
from model_store.additions import sweep_leaving
from worker.heartbeat import Heartbeat, process_name, sweep
from worker.photo_jobs import Pipeline, make_crew, photo_job

log = structlog.get_logger()

BEAT_S = 1.0
"""Between two signs of life: so long a job that was erased meanwhile may still hold its thread."""


def serve(settings: Settings, pipeline: Pipeline, bundle: str) -> None:
    """Work until SIGTERM or SIGINT; what is running then is finished first. The models are warm already.

    The pool is threads: a fork breaks CUDA, and solo blocks the hub and loses its job on a cold shutdown.
    bundle: the name of the models that the pipeline has.
    """
    name, added = process_name(), settings.added_to(bundle)
    redis = connect(settings)
    ledger, bells = Ledger(redis, settings), make_bells(settings)
    celery = bells[PROTECT]
    heartbeat = Heartbeat(ledger, name, _about(bundle, settings.device).model_dump_json())
    crew = make_crew(
        ledger,
        heartbeat,
        pipeline,
        batch_size=settings.batch_size,
        wait_s=settings.batch_wait_ms / 1000,
        budget_s=settings.batch_timeout_s,
    )

    def protect_task(job_id: str) -> None:
        photo_job(crew, job_id)

    celery.task(protect_task, name=PROTECT)
    celery.conf.worker_enable_remote_control = False  # nobody commands workers through Redis, so none listens
    with ExitStack() as alive:
        alive.enter_context(closing(redis))
        alive.callback(ledger.retire, name)
        alive.enter_context(closing(crew))
        alive.enter_context(repeating("heartbeat", heartbeat.beat, min(BEAT_S, settings.lease_s / 3)))
        alive.enter_context(
            repeating(
                "reaper",
                lambda: sweep(ledger, lambda job_id: ring(bells[ledger.kind(job_id)], job_id)),
                settings.reap_every_s,
            )
        )
        alive.enter_context(repeating("removal", lambda: sweep_removed(added, ledger), settings.reap_every_s))
        pool = ["--pool=threads", f"--concurrency={settings.worker_threads}", f"--hostname=protect@{name}"]
        quiet = ["--loglevel=WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat"]
        celery.worker_main(["worker", *pool, *quiet])


def _about(bundle: str, device: str) -> WorkerFacts:
    """What this worker says of itself."""
    return WorkerFacts(
        bundle=bundle,
        device=device,
        version=version("diffam"),
        torch=str(torch.__version__),
        started_at=datetime.now(UTC),
    )


def sweep_removed(added: Path, ledger: Ledger) -> None:
    """Delete references that were taken off the offer and that no job wears any more. Raises RedisError."""
    try:
        gone, _ = sweep_leaving(added, ledger.references_in_use)
    except OSError as error:
        log.warning("removal_failed", error=type(error).__name__)
        return
    if gone:
        log.info("references_removed", names=gone)
