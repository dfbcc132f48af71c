"""What a worker does with a photo's job: claim it, open the photo, let it travel in a batch, finish it, write down how
it ended.

One photo must not take others down. Its faces are counted before it boards, and it is finished off board, so that a
crowd delays no small photo; a job under which a worker ended once travels alone; what outruns its budget with nobody
else aboard is the culprit.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import BoundedSemaphore
from typing import Any, NamedTuple

import structlog
import torch
from redis.exceptions import RedisError

from jobs.ledger import Claim, Ledger
from jobs.record import DetectInput, JobInput, Output
from protection.pipeline import MadeUp, OnProgress, ProtectedPhoto, Upload
from protection.plan import Request
from worker.batcher import Batcher
from worker.heartbeat import Heartbeat
from worker.outcome import Abandoned, fail, note_progress, takes_too_long
from worker.watchdog import budget, give_up

log = structlog.get_logger()

LARGE_PX = 8_000_000
LARGE_AT_ONCE = 2
"""So many photos of over 8 megapixels are in hand at once: one of 50 takes near a gigabyte."""
MOST_ROWS = 16
"""Portraits that photos of one batch may bring along together; one with more travels alone."""
TURN_S = 0.2
"""How often a job that waits for its turn asks whether it is still wanted."""


@dataclass(frozen=True)
class Pipeline:
    """`protection.pipeline` with its bundle bound: what photos go through.

    detect: JSON-able facts per face of an encoded photo.  open: decodes a photo and finds its faces.  make_up: one
    result per photo of a batch, in order.  finish: composites and measures. All raise DiffAMError.
    """

    detect: Callable[[bytes], list[dict[str, Any]]]
    open: Callable[[Request], Upload]
    make_up: Callable[[Sequence[Upload], OnProgress], Sequence[MadeUp]]
    finish: Callable[[MadeUp, OnProgress], ProtectedPhoto]


class Passenger(NamedTuple):
    """A photo that is ready for a batch."""

    claim: Claim
    upload: Upload


class Arrival(NamedTuple):
    """A photo in make-up and how many travelled with it."""

    made_up: MadeUp
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
    large: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(LARGE_AT_ONCE))
    alone: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(1))

    def close(self) -> None:
        """Finish what is aboard, take nothing more."""
        self.batcher.close()


def make_crew(
    ledger: Ledger, heartbeat: Heartbeat, pipeline: Pipeline, *, batch_size: int, wait_s: float, budget_s: float
) -> Crew:
    """A crew with its batcher; photos travel together when they wear the same look for the same target."""

    def group(passenger: Passenger) -> tuple[str | None, ...]:
        wish, claim = passenger.upload.wish, passenger.claim
        return (wish.reference_id, wish.target_id, claim.job_id if claim.is_suspect else None)

    def work(passengers: Sequence[Passenger]) -> list[Arrival | Exception]:
        return make_batch_up(crew, passengers)

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
            with _turn(crew.alone, lost, claim.is_suspect), _turn(crew.large, lost, is_large(claim)):
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
def _turn(places: BoundedSemaphore, lost: "Future[None]", is_needed: bool) -> Iterator[None]:
    """Hold a place where one is needed; wait for it while the job is wanted. Raises Abandoned."""
    if not is_needed:
        yield
        return
    while not places.acquire(timeout=TURN_S):
        if lost.done():
            raise Abandoned
    try:
        yield
    finally:
        places.release()


def is_large(claim: Claim) -> bool:
    """Whether its photo takes so much memory that few of its kind may be in hand at once."""
    return isinstance(claim.input, JobInput | DetectInput) and claim.input.width * claim.input.height > LARGE_PX


def _find_faces(crew: Crew, claim: Claim) -> None:
    """Detect and write it into the ledger; a photo without faces is an answer, not a failure."""
    with _on_its_own(crew, claim) as on_progress:
        on_progress("detect", 0, 1)
        faces = crew.pipeline.detect(claim.photo)
    log.info("faces_found", count=len(faces), is_kept=crew.ledger.finish(claim, Output(faces=faces)))


def _protect(crew: Crew, claim: Claim, lost: "Future[None]") -> None:
    """Open the photo, let it travel, finish it and keep it. Gives up at once when nobody wants it any more."""
    with _on_its_own(crew, claim) as on_progress:
        on_progress("detect", 0, 1)
        upload = crew.pipeline.open(request_of(claim))
    if not note_progress(crew.ledger, [claim], "detect", 1, 1, at_risk=False):
        raise Abandoned
    trip = crew.batcher.submit(Passenger(claim, upload))
    lost.add_done_callback(lambda _: trip.cancel())
    try:
        made_up, batch_size = trip.result()
    except CancelledError:
        raise Abandoned from None
    with _on_its_own(crew, claim) as on_progress:
        photo = crew.pipeline.finish(made_up, on_progress)
    is_kept = crew.ledger.commit(claim, photo, batch_size)
    log.info("job_protected", batch_size=batch_size, is_kept=is_kept, seconds=photo.seconds)


@contextmanager
def _on_its_own(crew: Crew, claim: Claim) -> Iterator[OnProgress]:
    """Work on one photo beside the batch, within the budget. What it gives notes progress, and raises Abandoned."""
    with budget(crew.budget_s, partial(_blame, crew, [claim])):
        yield partial(_note, crew.ledger, [claim])


def make_batch_up(crew: Crew, passengers: Sequence[Passenger]) -> list[Arrival | Exception]:
    """One trip. Ends the process when it outruns its budget or the accelerator is beyond recovery."""
    claims = [passenger.claim for passenger in passengers]
    try:
        with budget(crew.budget_s, partial(_blame, crew, claims)):
            uploads = [passenger.upload for passenger in passengers]
            made_up = crew.pipeline.make_up(uploads, partial(_note, crew.ledger, claims))
    except Abandoned as abandoned:
        return [abandoned for _ in claims]
    except torch.AcceleratorError as error:
        give_up(f"the accelerator failed: {type(error).__name__}")
    return [Arrival(each, len(claims)) for each in made_up]


def _note(ledger: Ledger, claims: Sequence[Claim], stage: str, step: int, steps: int) -> None:
    """Raises Abandoned once nobody waits for any of `claims`."""
    if not note_progress(ledger, claims, stage, step, steps):
        raise Abandoned


def _blame(crew: Crew, aboard: Sequence[Claim]) -> None:
    """Work on `aboard` outran its budget and this process ends. Alone it was the culprit; else nobody knows yet."""
    if len(aboard) == 1:
        crew.ledger.fail(aboard[0], takes_too_long(crew.budget_s))
    crew.ledger.release(crew.heartbeat.held)


def request_of(claim: Claim) -> Request:
    """What the photo's owner asked for. Raises TypeError for a job of another kind, which has its own queue."""
    if not isinstance(claim.input, JobInput):
        raise TypeError(f"job {claim.job_id} is not about a photo")
    return Request(claim.photo, claim.input)
