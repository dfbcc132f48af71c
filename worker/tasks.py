"""What a worker does with a job: claim it, let it travel in a batch, and write down how it ended."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple, Protocol

import structlog
import torch
from redis.exceptions import RedisError

from diffam_core.errors import DiffAMError
from jobs.ledger import Claim, Ledger
from jobs.record import DetectInput, JobError, JobInput, Output
from model_store.errors import StoreError
from worker.batcher import Batcher
from worker.heartbeat import Heartbeat
from worker.pipeline import ProtectedPhoto
from worker.request import ProtectRequest
from worker.watchdog import budget, give_up

log = structlog.get_logger()

INTERNAL = JobError(code="internal", message="the worker met an unexpected error", retryable=True)


class Protect(Protocol):
    """`worker.pipeline.protect_photos` with its bundle bound: one result per request, in order."""

    def __call__(
        self, requests: Sequence[ProtectRequest], on_progress: Callable[[str, int, int], None], /
    ) -> Sequence[ProtectedPhoto | DiffAMError]: ...


class Detect(Protocol):
    """`worker.pipeline.detect_faces` with its bundle bound: JSON-able facts per face. Raises DiffAMError."""

    def __call__(self, photo: bytes, /) -> list[dict[str, Any]]: ...


class Passenger(NamedTuple):
    """A protected photo and how many travelled with it."""

    photo: ProtectedPhoto
    batch_size: int


class Abandoned(Exception):
    """Nobody waits for this job any more: it was canceled or erased, or another worker has it."""


PhotoBatcher = Batcher[Claim, Passenger]


def make_batcher(ledger: Ledger, protect: Protect, *, batch_size: int, wait_s: float, budget_s: float) -> PhotoBatcher:
    """The batcher of this worker; photos travel together when they wear the same look for the same target."""
    return Batcher(
        lambda claims: protect_batch(ledger, protect, claims, budget_s),
        lambda claim: (_request(claim).reference, _request(claim).target),
        batch_size=batch_size,
        wait_s=wait_s,
    )


def protect_batch(
    ledger: Ledger, protect: Protect, claims: Sequence[Claim], budget_s: float
) -> list[Passenger | Exception]:
    """One trip of `claims`. Ends the process when it outruns `budget_s` or the accelerator is beyond recovery."""
    requests = [_request(claim) for claim in claims]

    def on_progress(stage: str, step: int, steps: int) -> None:
        if not note_progress(ledger, claims, stage, step, steps):
            raise Abandoned

    try:
        with budget(budget_s):
            results = protect(requests, on_progress)
    except Abandoned as abandoned:
        return [abandoned for _ in claims]
    except torch.AcceleratorError as error:
        give_up(f"the accelerator failed: {type(error).__name__}")
    return [result if isinstance(result, Exception) else Passenger(result, len(claims)) for result in results]


def _request(claim: Claim) -> ProtectRequest:
    """What the photo's owner asked for. Raises TypeError for a job of another kind, which has its own queue."""
    wish = claim.input
    if not isinstance(wish, JobInput):
        raise TypeError(f"job {claim.job_id} is not about a photo")
    return ProtectRequest(
        photo=claim.photo,
        reference=wish.reference_id,
        target=wish.target_id,
        output_format=wish.output_format,
        faces=wish.faces,
        strength=wish.strength,
        regions=frozenset(wish.regions),
        candidates=wish.candidates,
        vary=wish.vary,
        survival=wish.survival,
    )


def note_progress(
    ledger: Ledger,
    claims: Sequence[Claim],
    stage: str,
    step: int,
    steps: int,
    losses: dict[str, float] | None = None,
    eta_s: float | None = None,
) -> bool:
    """False once nobody waits for any of `claims`. Only a courtesy: an unreachable Redis does not stop the work."""
    try:
        is_wanted = [ledger.progress(claim, stage, step, steps, losses, eta_s) for claim in claims]
    except RedisError as error:
        log.warning("progress_lost", error=type(error).__name__)
        return True
    return any(is_wanted)


def photo_job(ledger: Ledger, heartbeat: Heartbeat, batcher: PhotoBatcher, detect: Detect, job_id: str) -> None:
    """Bring `job_id` to its end. A no-op when it needs nobody. Raises RedisError: its lease then brings it back.

    Finding faces needs no accelerator, so it does not wait for the batch that runs.
    """
    claim = ledger.claim(job_id)
    if claim is None:
        return
    with heartbeat.holding(claim), structlog.contextvars.bound_contextvars(job_id=job_id, attempt=claim.attempt):
        if isinstance(claim.input, DetectInput):
            find_faces(ledger, claim, detect)
        else:
            settle(ledger, claim, batcher.submit(claim))


def find_faces(ledger: Ledger, claim: Claim, detect: Detect) -> None:
    """Detect and write it into the ledger; a photo without faces is an answer, not a failure."""
    try:
        faces = detect(claim.photo)
    except Exception as error:  # like the batcher's: a job must end, whatever happened
        _fail(ledger, claim, error)
    else:
        log.info("faces_found", count=len(faces), is_kept=ledger.finish(claim, Output(faces=faces)))


def settle(ledger: Ledger, claim: Claim, trip: "Future[Passenger]") -> None:
    """Wait for the trip's end and write it into the ledger."""
    error = trip.exception()
    if error is None:
        passenger = trip.result()
        is_kept = ledger.commit(claim, passenger.photo, passenger.batch_size)
        log.info("job_protected", batch_size=passenger.batch_size, is_kept=is_kept, seconds=passenger.photo.seconds)
    elif isinstance(error, Abandoned):
        log.info("job_abandoned")
    else:
        _fail(ledger, claim, error)


def _fail(ledger: Ledger, claim: Claim, error: BaseException) -> None:
    reason = job_error(error)
    is_kept = ledger.fail(claim, reason)
    ours = is_ours(error, reason)
    log.log(40 if ours else 20, "job_failed", code=reason.code, is_kept=is_kept, exc_info=error if ours else None)


def is_ours(error: BaseException, reason: JobError) -> bool:
    """Whether the operator must read in the log what the client was not told."""
    return reason is INTERNAL or (isinstance(error, StoreError) and error.told is not None)


def job_error(error: BaseException) -> JobError:
    """What the client may read about `error`: the facts of the errors we know, nothing of the others."""
    if isinstance(error, StoreError) and error.told:
        return JobError(code=error.code, message=error.told, retryable=False)
    if isinstance(error, DiffAMError | StoreError):
        return JobError(code=error.code, message=str(error), retryable=False)
    if isinstance(error, torch.OutOfMemoryError):
        return JobError(code="out_of_memory", message="the accelerator ran out of memory", retryable=True)
    return INTERNAL
