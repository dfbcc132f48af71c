"""Signs of life: the leases of every claim that this worker holds are extended, dead workers' jobs brought back."""

import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Lock
from typing import Protocol

import structlog

from jobs.claims import Claim, Reaped
from jobs.ledger import Ledger

log = structlog.get_logger()


def process_name() -> str:
    """What this process is called where others must tell it from the rest: its machine, and its number there."""
    return f"{socket.gethostname()}:{os.getpid()}"


class Heartbeat:
    """The claims that this worker holds, waiting or running; `beat` extends them all at once.

    about: what it says of itself to the operator, a WorkerFacts as JSON.
    """

    def __init__(self, ledger: Ledger, worker: str, about: str = "") -> None:
        self._ledger = ledger
        self.worker = worker
        self._about = about
        self._lost: dict[Claim, Future[None]] = {}
        self._lock = Lock()

    @property
    def held(self) -> list[Claim]:
        """The claims of this moment."""
        with self._lock:
            return list(self._lost)

    @contextmanager
    def holding(self, claim: Claim) -> Iterator["Future[None]"]:
        """Keep the lease of `claim` alive inside the block; the future ends once nobody waits for it any more."""
        lost = Future[None]()
        with self._lock:
            self._lost[claim] = lost
        try:
            yield lost
        finally:
            with self._lock:
                del self._lost[claim]

    def beat(self) -> None:
        """Show that the worker lives, and learn what was canceled, erased or taken over. Raises RedisError."""
        gone = self._ledger.heartbeat(self.worker, self.held, self._about)
        with self._lock:
            lost = [future for claim, future in self._lost.items() if claim in gone and not future.done()]
        for future in lost:
            future.set_result(None)
        if lost:
            log.info("claims_lost", job_ids=sorted(claim.job_id for claim in gone))


class Reaper(Protocol):
    """The part of the ledger that sweeping needs."""

    def reap(self) -> Reaped: ...


def sweep(reaper: Reaper, ring: Callable[[str], bool]) -> None:
    """Bring back what dead workers held and ring for every job whose bell is gone. Raises RedisError."""
    swept = reaper.reap()
    for job_id in swept.bells:
        ring(job_id)
    if swept.requeued or swept.lost or swept.timed_out:
        log.warning("jobs_reaped", requeued=swept.requeued, lost=swept.lost, timed_out=swept.timed_out)
