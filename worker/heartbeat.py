"""Signs of life: one thread extends the leases of every claim this worker holds, another wakes the reaper."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread
from typing import Protocol

import structlog
from redis.exceptions import RedisError

from jobs.ledger import Claim, Ledger, Reaped

log = structlog.get_logger()


class Heartbeat:
    """The claims that this worker holds, waiting or running; `beat` extends them all at once."""

    def __init__(self, ledger: Ledger, worker: str) -> None:
        self._ledger = ledger
        self._worker = worker
        self._held: set[Claim] = set()
        self._lock = Lock()

    @contextmanager
    def holding(self, claim: Claim) -> Iterator[None]:
        """Keep the lease of `claim` alive inside the block."""
        with self._lock:
            self._held.add(claim)
        try:
            yield
        finally:
            with self._lock:
                self._held.discard(claim)

    def beat(self) -> None:
        """Show that the worker lives. Raises RedisError."""
        with self._lock:
            held = list(self._held)
        if lost := self._ledger.heartbeat(self._worker, held):
            log.warning("leases_lost", job_ids=sorted(lost))


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


@contextmanager
def repeating(name: str, act: Callable[[], None], every_s: float) -> Iterator[None]:
    """Call `act` at once and every `every_s` seconds in a thread, until the block ends. Redis may fail in between."""
    is_over = Event()

    def loop() -> None:
        while True:
            try:
                act()
            except RedisError as error:
                log.warning("redis_unreachable", thread=name, error=type(error).__name__)
            if is_over.wait(every_s):
                return

    thread = Thread(target=loop, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
