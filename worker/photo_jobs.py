"""What a worker does with a photo's job: claim it, open the photo, let it travel in a batch, finish it, write down how
it ended.

One photo must not take others down. Its faces are counted before it boards, and it is finished off board, so that a
crowd delays no small photo; a job under which a worker ended once is worked on alone; what outruns its budget while
nobody else is at work is the culprit.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import BoundedSemaphore
from typing import NamedTuple

import structlog
import torch
from redis.exceptions import RedisError

from diffam_client.contract.job import DetectInput, JobInput, Output
from diffam_client.contract.report import FaceReport, OnProgress, Progress
from jobs.claims import Claim
from jobs.ledger import Ledger
from jobs.tracing import traced
from protection.pipeline import MadeUp, ProtectedPhoto
from protection.plan import Request, Upload
from worker.batcher import Batcher
from worker.company import Company
from worker.heartbeat import Heartbeat
from worker.outcome import Abandoned, fail, note_progress, takes_too_long
from worker.watchdog import budget, give_up

log = structlog.get_logger()

LARGE_PX = 16_000_000
LARGE_AT_ONCE = 2
"""So many photos of over 16 megapixels are decoded or measured at once: one of 50 takes near a gigabyte."""
LARGE_WAIT_S = 2.0
"""So long a thread waits to open one; then the job goes back, for small photos want threads, too."""
MOST_ROWS = 16
"""Portraits that photos of one batch may bring along together; one with more travels alone."""
OPENED = Progress(stage="detect", step=1, steps=1)
MADE_UP = Progress(stage="make_up", step=1, steps=1)


@dataclass(frozen=True)
class Pipeline:
    """`protection.pipeline` with its bundle bound: what photos go through.

    detect: every face of an encoded photo.  open: decodes a photo and finds its faces.  make_up: one
    result per photo of a batch, in order.  finish: composites and measures. All raise DiffAMError.
    """

    detect: Callable[[bytes], list[FaceReport]]
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
    company: Company = field(default_factory=Company)
    large: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(LARGE_AT_ONCE))
    ending: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(1))

    def close(self) -> None:
        """Finish what is aboard, take nothing more."""
        self.batcher.close()


def make_crew(
    ledger: Ledger, heartbeat: Heartbeat, pipeline: Pipeline, *, batch_size: int, wait_s: float, budget_s: float
) -> Crew:
    """A crew with its batcher; photos travel together when they wear the same reference for the same target."""

    def group(passenger: Passenger) -> tuple[str | None, ...]:
        wish = passenger.upload.wish
        return (wish.reference_id, wish.target_id)

    def work(passengers: Sequence[Passenger]) -> list[Arrival | Exception]:
        try:
            with crew.company.beside([passenger.claim for passenger in passengers]):
                made_up = make_batch_up(crew, passengers)
        except Abandoned as abandoned:
            return [abandoned for _ in passengers]
        return [Arrival(each, len(passengers)) for each in made_up]

    batcher = PhotoBatcher(
        work, group, lambda passenger: passenger.upload.rows, batch_size=batch_size, most_cost=MOST_ROWS, wait_s=wait_s
    )
    crew = Crew(ledger, heartbeat, pipeline, batcher, budget_s)
    return crew


def photo_job(crew: Crew, job_id: str) -> None:
    """Bring `job_id` to its end. A no-op when it needs nobody. Raises RedisError: its lease then brings it back.

    Finding faces needs no accelerator, so it does not wait for the batch that runs.
    """
    claim = crew.ledger.claim(job_id, crew.heartbeat.worker)
    if claim is None:
        return
    with (
        crew.heartbeat.holding(claim) as lost,
        structlog.contextvars.bound_contextvars(job_id=job_id, attempt=claim.attempt, **traced(claim.traceparent)),
    ):
        try:
            if isinstance(claim.input, DetectInput):
                _find_faces(crew, claim, lost)
            else:
                _protect(crew, claim, lost)
        except Abandoned:
            log.info("job_abandoned")
        except NoPlace:
            crew.ledger.release([claim])
        except RedisError:
            raise
        except Exception as error:  # a job must end, whatever happened
            fail(crew.ledger, claim, error)


class NoPlace(Exception):
    """Too many large photos are in hand; the job waits in the queue instead of here."""


def is_large(claim: Claim) -> bool:
    """Whether its photo takes so much memory that few of its kind may be in hand at once."""
    return isinstance(claim.input, JobInput | DetectInput) and claim.input.width * claim.input.height > LARGE_PX


def _find_faces(crew: Crew, claim: Claim, lost: "Future[None]") -> None:
    """Detect and write it into the ledger; a photo without faces is an answer, not a failure."""
    with _at_work(crew, claim, lost), _room(crew, claim, LARGE_WAIT_S), _in_time(crew, [claim]):
        _begin(crew, claim)
        faces = crew.pipeline.detect(claim.photo)
    log.info("faces_found", count=len(faces), is_kept=crew.ledger.finish(claim, Output(faces=faces)))


def _protect(crew: Crew, claim: Claim, lost: "Future[None]") -> None:
    """Bring a photo all the way and keep what came of it. Gives up when nobody wants it any more."""
    if claim.is_suspect:
        with crew.company.alone(claim, lost):
            upload = _open(crew, claim)
            (made_up,) = make_batch_up(crew, [Passenger(claim, upload)])
            photo, batch_size = _finish(crew, claim, made_up), 1
    else:
        with crew.company.beside([claim], lost):
            upload = _open(crew, claim)
        if not note_progress(crew.ledger, [claim], OPENED, at_risk=False):
            raise Abandoned
        trip = crew.batcher.submit(Passenger(claim, upload))
        lost.add_done_callback(lambda _: trip.cancel())
        try:
            made_up, batch_size = trip.result()
        except CancelledError:
            raise Abandoned from None
        note_progress(crew.ledger, [claim], MADE_UP, at_risk=False)
        with crew.company.beside([claim], lost):
            photo = _finish(crew, claim, made_up)
    is_kept = crew.ledger.commit(claim, photo, batch_size)
    log.info("job_protected", batch_size=batch_size, is_kept=is_kept, seconds=photo.seconds)


def _open(crew: Crew, claim: Claim) -> Upload:
    with _room(crew, claim, LARGE_WAIT_S), _in_time(crew, [claim]):
        _begin(crew, claim)
        return crew.pipeline.open(request_of(claim))


def make_batch_up(crew: Crew, passengers: Sequence[Passenger]) -> Sequence[MadeUp]:
    """One trip. Ends the process when it outruns its budget or the accelerator is beyond recovery. Raises Abandoned."""
    claims = [passenger.claim for passenger in passengers]
    with _in_time(crew, claims):
        try:
            uploads = [passenger.upload for passenger in passengers]
            return crew.pipeline.make_up(uploads, partial(_note, crew.ledger, claims))
        except torch.AcceleratorError as error:
            give_up(f"the accelerator failed: {type(error).__name__}")


def _finish(crew: Crew, claim: Claim, made_up: MadeUp) -> ProtectedPhoto:
    with _room(crew, claim), _in_time(crew, [claim]):
        return crew.pipeline.finish(made_up, partial(_note, crew.ledger, [claim]))


@contextmanager
def _at_work(crew: Crew, claim: Claim, lost: "Future[None]") -> Iterator[None]:
    """Raises Abandoned when a suspect is lost before its turn."""
    with crew.company.alone(claim, lost) if claim.is_suspect else crew.company.beside([claim], lost):
        yield


@contextmanager
def _room(crew: Crew, claim: Claim, patience_s: float | None = None) -> Iterator[None]:
    """Hold a place for a large photo. Raises NoPlace after `patience_s`."""
    if not is_large(claim):
        yield
        return
    if not crew.large.acquire(timeout=patience_s):
        raise NoPlace
    try:
        yield
    finally:
        crew.large.release()


def _in_time(crew: Crew, claims: Sequence[Claim]) -> AbstractContextManager[None]:
    return budget(crew.budget_s, partial(_blame, crew, claims))


def _begin(crew: Crew, claim: Claim) -> None:
    """From here on the attempt counts. Raises Abandoned; RedisError, because nothing may begin unnoted."""
    if not crew.ledger.progress(claim, Progress(stage="detect", step=0, steps=1)):
        raise Abandoned


def _note(ledger: Ledger, claims: Sequence[Claim], progress: Progress) -> None:
    """Raises Abandoned once nobody waits for any of `claims`."""
    if not note_progress(ledger, claims, progress):
        raise Abandoned


def _blame(crew: Crew, claims: Sequence[Claim]) -> None:
    """Work on `claims` outran its budget and this process ends: alone it was the culprit, else nobody knows yet."""
    crew.ending.acquire()  # for ever: whoever is late, too, has nothing to add
    if len(claims) == 1 and crew.company.is_alone(claims):
        crew.ledger.fail(claims[0], takes_too_long(crew.budget_s))
    crew.ledger.release(crew.heartbeat.held)


def request_of(claim: Claim) -> Request:
    """What the photo's owner asked for. Raises TypeError for a job of another kind, which has its own queue."""
    if not isinstance(claim.input, JobInput):
        raise TypeError(f"job {claim.job_id} is not about a photo")
    return Request(claim.photo, claim.input, claim.input.undo_to, claim.input.kept)
