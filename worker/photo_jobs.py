"""What a worker does with a photo's job: claim it, open the photo, let it travel in a batch, write down how it ended.

One photo must not take others down. Its faces are counted before it boards, so that a crowd delays no small photo; a
job under which a worker ended once travels alone; whatever outruns its budget with nobody else aboard is the culprit.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import BoundedSemaphore, Lock
from typing import Any, NamedTuple

import structlog
import torch
from redis.exceptions import RedisError

from diffam_core.errors import DiffAMError
from jobs.ledger import Claim, Ledger
from jobs.record import DetectInput, JobInput, Output
from worker.batcher import Batcher
from worker.heartbeat import Heartbeat
from worker.outcome import Abandoned, fail, note_progress, takes_too_long
from worker.pipeline import OnProgress, ProtectedPhoto, Upload
from worker.request import ProtectRequest
from worker.watchdog import budget, give_up

log = structlog.get_logger()

OPENING_AT_ONCE = 2
"""Photos that are decoded and searched for faces beside the batch: 50 megapixels take near a gigabyte meanwhile."""
MOST_ROWS = 16
"""Portraits that photos of one batch may bring along together; one with more travels alone."""
TURN_S = 0.2
"""How often a job that waits for its turn asks whether it is still wanted."""


@dataclass(frozen=True)
class Pipeline:
    """`worker.pipeline` with its bundle bound: what photos go through.

    detect: JSON-able facts per face of an encoded photo.  open: decodes a photo and finds its faces.  protect: one
    result per photo, in order. All raise DiffAMError.
    """

    detect: Callable[[bytes], list[dict[str, Any]]]
    open: Callable[[ProtectRequest], Upload]
    protect: Callable[[Sequence[Upload], OnProgress], Sequence[ProtectedPhoto | DiffAMError]]


class Passenger(NamedTuple):
    """A photo that is ready for a batch."""

    claim: Claim
    upload: Upload


class Arrival(NamedTuple):
    """A protected photo and how many travelled with it."""

    photo: ProtectedPhoto
    batch_size: int


PhotoBatcher = Batcher[Passenger, Arrival]


@dataclass(frozen=True)
class Crew:
    """Who works on photo jobs in this process; `close` it after the last one. budget_s: for one photo, or one batch."""

    ledger: Ledger
    heartbeat: Heartbeat
    pipeline: Pipeline
    batcher: PhotoBatcher
    budget_s: float
    opening: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(OPENING_AT_ONCE))
    alone: Lock = field(default_factory=Lock)

    def close(self) -> None:
        """Finish what is aboard, take nothing more."""
        self.batcher.close()


def make_crew(
    ledger: Ledger, heartbeat: Heartbeat, pipeline: Pipeline, *, batch_size: int, wait_s: float, budget_s: float
) -> Crew:
    """A crew with its batcher; photos travel together when they wear the same look for the same target."""

    def group(passenger: Passenger) -> tuple[str | None, ...]:
        request, claim = passenger.upload.request, passenger.claim
        return (request.reference, request.target, claim.job_id if claim.is_suspect else None)

    def work(passengers: Sequence[Passenger]) -> list[Arrival | Exception]:
        return protect_batch(crew, passengers)

    batcher = PhotoBatcher(
        work, group, lambda passenger: passenger.upload.rows, batch_size=batch_size, most_cost=MOST_ROWS, wait_s=wait_s
    )
    crew = Crew(ledger, heartbeat, pipeline, batcher, budget_s)
    return crew


def photo_job(crew: Crew, job_id: str) -> None:
    """Bring `job_id` to its end. A no-op when it needs nobody. Raises RedisError: its lease then brings it back.

    Finding faces needs no accelerator, so it does not wait for the batch that runs.
    """
    claim = crew.ledger.claim(job_id)
    if claim is None:
        return
    with (
        crew.heartbeat.holding(claim) as lost,
        structlog.contextvars.bound_contextvars(job_id=job_id, attempt=claim.attempt),
    ):
        try:
            with _turn(crew, claim, lost):
                if isinstance(claim.input, DetectInput):
                    _find_faces(crew, claim)
                else:
                    _protect(crew, claim, lost)
        except Abandoned:
            log.info("job_abandoned")
        except RedisError:
            raise
        except Exception as error:  # a job must end, whatever happened
            fail(crew.ledger, claim, error)


@contextmanager
def _turn(crew: Crew, claim: Claim, lost: "Future[None]") -> Iterator[None]:
    """Suspects come one after the other; all others at once. Raises Abandoned."""
    if not claim.is_suspect:
        yield
        return
    while not crew.alone.acquire(timeout=TURN_S):
        if lost.done():
            raise Abandoned
    try:
        yield
    finally:
        crew.alone.release()


def _find_faces(crew: Crew, claim: Claim) -> None:
    """Detect and write it into the ledger; a photo without faces is an answer, not a failure."""
    with _opening(crew, claim):
        faces = crew.pipeline.detect(claim.photo)
    log.info("faces_found", count=len(faces), is_kept=crew.ledger.finish(claim, Output(faces=faces)))


def _protect(crew: Crew, claim: Claim, lost: "Future[None]") -> None:
    """Open the photo, let it travel and keep what came of it. Gives up at once when nobody wants it any more."""
    with _opening(crew, claim):
        upload = crew.pipeline.open(request_of(claim))
    if not note_progress(crew.ledger, [claim], "detect", 1, 1, at_risk=False):
        raise Abandoned
    trip = crew.batcher.submit(Passenger(claim, upload))
    lost.add_done_callback(lambda _: trip.cancel())
    try:
        photo, batch_size = trip.result()
    except CancelledError:
        raise Abandoned from None
    is_kept = crew.ledger.commit(claim, photo, batch_size)
    log.info("job_protected", batch_size=batch_size, is_kept=is_kept, seconds=photo.seconds)


@contextmanager
def _opening(crew: Crew, claim: Claim) -> Iterator[None]:
    """Work on one photo beside the batch, within the budget. Raises Abandoned."""
    with crew.opening:
        if not note_progress(crew.ledger, [claim], "detect", 0, 1):
            raise Abandoned
        with budget(crew.budget_s, partial(_blame, crew, [claim])):
            yield


def protect_batch(crew: Crew, passengers: Sequence[Passenger]) -> list[Arrival | Exception]:
    """One trip. Ends the process when it outruns its budget or the accelerator is beyond recovery."""
    claims = [passenger.claim for passenger in passengers]

    def on_progress(stage: str, step: int, steps: int) -> None:
        if not note_progress(crew.ledger, claims, stage, step, steps):
            raise Abandoned

    try:
        with budget(crew.budget_s, partial(_blame, crew, claims)):
            results = crew.pipeline.protect([passenger.upload for passenger in passengers], on_progress)
    except Abandoned as abandoned:
        return [abandoned for _ in claims]
    except torch.AcceleratorError as error:
        give_up(f"the accelerator failed: {type(error).__name__}")
    return [result if isinstance(result, Exception) else Arrival(result, len(claims)) for result in results]


def _blame(crew: Crew, aboard: Sequence[Claim]) -> None:
    """Work on `aboard` outran its budget and this process ends. Alone it was the culprit; else nobody knows yet."""
    if len(aboard) == 1:
        crew.ledger.fail(aboard[0], takes_too_long(crew.budget_s))
    crew.ledger.release(crew.heartbeat.held)


def request_of(claim: Claim) -> ProtectRequest:
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
