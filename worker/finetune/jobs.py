"""What the worker of long jobs does with one: claim it, add the reference or fine-tune the style, and end it."""

from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from time import monotonic

import structlog
import torch
from redis.exceptions import RedisError

from diffam_client.contract.job import JobError, Output, ReferenceInput, StyleInput
from diffam_client.contract.report import OnProgress, Progress
from diffam_core.transfer import TransferRecipe
from jobs.claims import Claim
from jobs.errors import ErasedJob, UnknownJob
from jobs.ledger import Ledger
from jobs.repeating import repeating
from jobs.settings import Settings
from jobs.tracing import traced
from model_store.additions import StyleOrder, remove_reference
from model_store.bundle import Bundle
from model_store.choice import choose_bundle
from model_store.errors import ReferenceExists, StyleExists, UnknownReference
from model_store.opening import open_chosen
from model_store.training.contact_sheet import ContactSheet
from model_store.training.fine_tuning import IN_TRAINING
from model_store.training.new_reference import add_reference
from model_store.training.new_style import fine_tune_style
from model_store.training.portraits import Training
from worker.heartbeat import process_name
from worker.outcome import Abandoned, is_ours, job_error, note_progress

log = structlog.get_logger()

SHEET_SHARE = 0.05
"""Of a training's time, so much at most goes into showing how it looks."""
STORE_UNWRITABLE = JobError(
    code="store_unwritable", message="the store of references cannot be written", retryable=True
)


def finetune_job(
    ledger: Ledger, settings: Settings, job_id: str, work: Callable[[Claim, Ledger, Settings, OnProgress], Output]
) -> None:
    """Bring `job_id` to its end; a no-op when it needs nobody. `work` is stopped once nobody waits any more."""
    claim = ledger.claim(job_id, process_name())
    if claim is None:
        return
    started = monotonic()
    eta = Eta()

    def on_progress(progress: Progress) -> None:
        if not note_progress(ledger, [claim], progress.model_copy(update={"eta_s": eta.after(progress)})):
            raise Abandoned

    def hold() -> None:
        ledger.extend([claim])

    every_s = min(settings.reap_every_s, settings.lease_s / 3)
    with (
        structlog.contextvars.bound_contextvars(job_id=job_id, attempt=claim.attempt, **traced(claim.traceparent)),
        repeating("lease", hold, every_s),
    ):
        try:
            output = work(claim, ledger, settings, on_progress)
        except Abandoned:
            log.info("job_abandoned")
        except Exception as error:  # the one place of this worker: a job must end, whatever happened
            reason = STORE_UNWRITABLE if isinstance(error, OSError) else job_error(error)
            log.warning("job_failed", code=reason.code, exc_info=error if is_ours(error, reason) else None)
            ledger.fail(claim, reason)
        else:
            is_kept = ledger.finish(claim, output)
            if not is_kept and isinstance(claim.input, ReferenceInput) and is_unwanted(ledger, job_id):
                take_back(settings, claim.input.reference_id)
            log.info("job_finetuned", is_kept=is_kept, seconds=round(monotonic() - started, 1))


def is_unwanted(ledger: Ledger, job_id: str) -> bool:
    """Whether somebody canceled or erased the job; else another worker has it. Raises RedisError."""
    try:
        return ledger.get(job_id).status == "canceled"
    except (ErasedJob, UnknownJob):
        return True


def take_back(settings: Settings, reference_id: str) -> None:
    """Remove a reference that was added for somebody who erased the job meanwhile; the next sweep deletes it."""
    with suppress(UnknownReference):
        choice = choose_bundle(settings.bundle, settings.shelf, settings.judges)
        remove_reference(choice.catalog, settings.added_to(choice.folder.name), reference_id)


class Eta:
    """Seconds left of a stage, from the steps that this process has seen: a resumed training begins in the middle."""

    def __init__(self) -> None:
        self._first: tuple[Progress, float] | None = None

    def after(self, progress: Progress, now: float | None = None) -> float | None:
        """The estimate at this point; None with nothing to go by."""
        now = monotonic() if now is None else now
        if self._first is None or self._first[0].stage != progress.stage:
            self._first = (progress, now)
        first, since = self._first
        done = progress.step - first.step
        return round((now - since) / done * (progress.steps - progress.step), 1) if done > 0 else None


def finetune(claim: Claim, ledger: Ledger, settings: Settings, on_progress: OnProgress) -> Output:
    """Add a reference, or fine-tune a style. Raises DiffAMError, StoreError, OSError, Abandoned."""
    if settings.torch_threads:
        torch.set_num_threads(settings.torch_threads)
    on_progress(Progress(stage="load", step=0, steps=1))
    choice = choose_bundle(settings.bundle, settings.shelf, settings.judges)
    bundle = open_chosen(choice, settings.device, settings.added_to(choice.folder.name), judges=())
    on_progress(Progress(stage="load", step=1, steps=1))
    wish, is_first = claim.input, claim.attempt == 1
    if isinstance(wish, ReferenceInput):
        on_progress(Progress(stage="remove_makeup", step=0, steps=1))
        twin = ledger.blob("twin", claim.job_id) if wish.has_bare else None
        try:
            add_reference(bundle, wish.reference_id, claim.photo, twin, wish.title, wish.description)
        except ReferenceExists:
            if is_first:  # else an earlier attempt stored it and died before it could say so
                raise
        return Output(reference_id=wish.reference_id)
    if not isinstance(wish, StyleInput):
        raise TypeError(f"job {claim.job_id} is about a photo")
    try:
        _fine_tune(bundle, wish, settings, on_progress, partial(note_sheet, ledger, claim))
    except StyleExists:
        if is_first:
            raise
    return Output(reference_id=wish.reference_id, target_id=wish.target_id)


def note_sheet(ledger: Ledger, claim: Claim, step: int, sheet: bytes) -> None:
    """Only a courtesy to the operator: a Redis that is unreachable or full does not stop the work."""
    try:
        ledger.keep_sheet(claim, step, sheet)
    except RedisError as error:
        log.warning("sheet_lost", error=type(error).__name__)


def _fine_tune(
    bundle: Bundle,
    wish: StyleInput,
    settings: Settings,
    on_progress: OnProgress,
    on_sheet: Callable[[int, bytes], None],
) -> None:
    sheet, due = cache(lambda: ContactSheet(bundle.models)), 0.0

    def on_loss(step: int, steps: int, losses: dict[str, float]) -> None:
        nonlocal due
        rounded = {name: round(value, 5) for name, value in losses.items()}
        on_progress(Progress(stage="fine_tune", step=step, steps=steps, losses=rounded))
        if (began := monotonic()) >= due:
            on_sheet(step, sheet().wearing(IN_TRAINING))
            due = monotonic() + (monotonic() - began) / SHEET_SHARE

    fine_tune_style(
        bundle,
        StyleOrder(wish.reference_id, wish.target_id, wish.held_out, wish.surrogates, wish.mode, wish.objective),
        TransferRecipe().with_steps(settings.finetune_makeup_steps, settings.finetune_steps),
        Training(settings.finetune_photos, settings.dataset, settings.dataset_dir),
        on_loss,
    )
