"""How a job ends when it does not succeed: what the client may read of it, and what the operator must."""

from collections.abc import Sequence

import structlog
import torch
from redis.exceptions import RedisError

from diffam_client.contract.job import JobError
from diffam_client.contract.report import Progress
from diffam_core.errors import DiffAMError
from jobs.claims import Claim
from jobs.ledger import Ledger
from model_store.errors import StoreError

log = structlog.get_logger()

INTERNAL = JobError(code="internal", message="the worker met an unexpected error", retryable=True)


class Abandoned(Exception):
    """Nobody waits for this job any more: it was canceled or erased, or another worker has it."""


def takes_too_long(budget_s: float) -> JobError:
    """Of a photo that outran a worker's patience with nobody else aboard."""
    message = f"work on this photo alone took over {budget_s:g} s; a smaller one, or fewer wishes at once, may pass"
    return JobError(code="photo_takes_too_long", message=message, retryable=False)


def note_progress(ledger: Ledger, claims: Sequence[Claim], progress: Progress, *, at_risk: bool = True) -> bool:
    """False once nobody waits for any of `claims`. Only a courtesy: an unreachable Redis does not stop the work."""
    try:
        is_wanted = [ledger.progress(claim, progress, at_risk=at_risk) for claim in claims]
    except RedisError as error:
        log.warning("progress_lost", error=type(error).__name__)
        return True
    return any(is_wanted)


def fail(ledger: Ledger, claim: Claim, error: BaseException) -> None:
    """Write down that the job failed, and log what an operator needs. Raises RedisError."""
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
