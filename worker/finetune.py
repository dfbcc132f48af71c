"""The worker of long jobs: `python -m worker.finetune`. It adds looks and trains styles, one at a time.

Each job runs in a spawned process of its own: a fresh accelerator context, and a crash takes nothing else along. The
style it leaves in the store serves photos at once, in every worker that shares the store.
"""

import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING

import structlog
from celery import Celery, shared_task, signals

from jobs.connect import connect
from jobs.ledger import Claim, Ledger
from jobs.logs import configure_logging
from jobs.queue import FINETUNE, make_celery
from jobs.record import JobError, LookInput, Output, StyleInput
from jobs.settings import Settings
from worker.heartbeat import repeating

if TYPE_CHECKING:
    from model_store.bundle import Bundle

log = structlog.get_logger()

OnTraining = Callable[[str, int, int, dict[str, float]], None]
STORE_UNWRITABLE = JobError(code="store_unwritable", message="the store of looks cannot be written", retryable=True)


class Abandoned(Exception):
    """Nobody waits for this job any more: it was canceled or erased, or another worker has it."""


@shared_task(name=FINETUNE, ignore_result=True)  # type: ignore[untyped-decorator]
def finetune_task(job_id: str) -> None:
    """What a spawned process does: one job, then it ends."""
    settings = Settings()
    configure_logging(settings.log_level)
    with closing(connect(settings)) as redis:
        finetune_job(Ledger(redis, settings), settings, job_id, finetune)


def finetune_job(
    ledger: Ledger, settings: Settings, job_id: str, work: Callable[[Claim, Ledger, Settings, OnTraining], Output]
) -> None:
    """Bring `job_id` to its end; a no-op when it needs nobody."""
    claim = ledger.claim(job_id)
    if claim is None:
        return
    started = monotonic()

    def on_training(stage: str, step: int, steps: int, losses: dict[str, float]) -> None:
        spent = monotonic() - started
        eta_s = round(spent / step * (steps - step), 1) if step else None
        if not ledger.progress(claim, stage, step, steps, {k: round(v, 5) for k, v in losses.items()}, eta_s):
            raise Abandoned

    def hold() -> None:
        ledger.extend([claim])

    every_s = min(settings.reap_every_s, settings.lease_s / 3)
    with (
        structlog.contextvars.bound_contextvars(job_id=job_id, attempt=claim.attempt),
        repeating("lease", hold, every_s),
    ):
        try:
            output = work(claim, ledger, settings, on_training)
        except Abandoned:
            log.info("job_abandoned")
        except Exception as error:  # the one place: a job must end, whatever happened
            reason = failure(error)
            log.warning("job_failed", code=reason.code, exc_info=error if reason.code == "internal" else None)
            ledger.fail(claim, reason)
        else:
            log.info("job_finetuned", is_kept=ledger.finish(claim, output), seconds=round(monotonic() - started, 1))


def failure(error: Exception) -> JobError:
    """What the client may read about `error`."""
    from worker.tasks import job_error

    return STORE_UNWRITABLE if isinstance(error, OSError) else job_error(error)


def finetune(claim: Claim, ledger: Ledger, settings: Settings, on_training: OnTraining) -> Output:
    """Add a look, or train a style. Raises DiffAMError, StoreError, OSError, Abandoned."""
    import torch

    from model_store.bundle import open_bundle
    from model_store.catalog import BUNDLES

    if settings.torch_threads:
        torch.set_num_threads(settings.torch_threads)
    on_training("load", 0, 1, {})
    bundle = open_bundle((settings.bundles_dir or BUNDLES) / settings.bundle, settings.device, settings.added)
    on_training("load", 1, 1, {})
    wish = claim.input
    if isinstance(wish, LookInput):
        from model_store.errors import ReferenceExists
        from model_store.references import add_reference

        on_training("remove_makeup", 0, 1, {})
        try:
            twin = ledger.blob("twin", claim.job_id) if wish.has_bare else None
            add_reference(bundle, wish.reference_id, claim.photo, twin, wish.title, wish.description)
        except ReferenceExists:
            if claim.attempt == 1:  # else an earlier attempt stored it and died before it could say so
                raise
        return Output(reference_id=wish.reference_id)
    assert isinstance(wish, StyleInput)  # noqa: S101  # photos travel on another queue
    _train(bundle, wish, claim.attempt, settings, on_training)
    return Output(reference_id=wish.reference_id, target_id=wish.target_id)


def _train(bundle: "Bundle", wish: StyleInput, attempt: int, settings: Settings, on_training: OnTraining) -> None:
    from diffam_core.transfer import TransferRecipe
    from model_store.additions import StyleOrder
    from model_store.errors import StyleExists
    from model_store.finetuning import train_style

    recipe = TransferRecipe()
    recipe = replace(
        recipe,
        makeup=replace(recipe.makeup, steps=settings.finetune_makeup_steps),
        attack=replace(recipe.attack, steps=settings.finetune_steps),
    )
    order = StyleOrder(wish.reference_id, wish.target_id, wish.held_out, wish.surrogates, wish.mode, wish.objective)
    try:
        train_style(
            bundle, order, recipe, settings.finetune_photos,
            on_loss=lambda step, steps, losses: on_training("fine_tune", step, steps, losses),
        )  # fmt: skip
    except StyleExists:
        if attempt == 1:
            raise


def make_worker(settings: Settings) -> Celery:
    """The Celery application of this worker; its children import this module for the task."""
    celery = make_celery(settings, FINETUNE)
    celery.conf.update(
        include=["worker.finetune"],
        worker_pool_start_method="spawn",
        worker_max_tasks_per_child=1,
        task_time_limit=settings.finetune_timeout_s,
        worker_soft_shutdown_timeout=5.0,
        worker_enable_remote_control=False,
    )
    return celery


def main() -> None:
    """Serve until SIGTERM. A job that is cut off is rung again and goes on from its checkpoint."""
    settings = Settings()
    configure_logging(settings.log_level)
    signals.setup_logging.connect(_keep_our_logging)
    log.info("finetune_worker_ready", bundle=settings.bundle)
    make_worker(settings).worker_main(
        [
            "worker", "--pool=prefork", "--concurrency=1", f"--hostname=finetune@{os.getpid()}", "--loglevel=WARNING",
            "--without-gossip", "--without-mingle", "--without-heartbeat",
        ]
    )  # fmt: skip


def _keep_our_logging(**_: object) -> None:
    """Being connected is what matters: Celery then leaves the loggers alone."""


if __name__ == "__main__":
    from worker.finetune import main as serve  # under its own name: children must not import it as __main__

    serve()
