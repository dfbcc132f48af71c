"""Waiting for jobs to change: one blocking read of Redis for all who wait in this process, however many they are."""

import asyncio
from dataclasses import dataclass, field

import structlog
from anyio import CapacityLimiter, to_thread

from jobs.ledger import Ledger

log = structlog.get_logger()

ROUND_S = 0.2
"""Of one read at most: so long a job that somebody begins to wait for is not looked at yet, nor one that is erased.
And of the pause after a read that found something: who waits for a job that runs is woken five times a second at most.
"""


@dataclass(eq=False)
class _Waiting:
    job_id: str
    revision: int
    is_over: asyncio.Event = field(default_factory=asyncio.Event)


class Changes:
    """What happens to the jobs that requests wait for. Lives in the event loop; one thread reads while any waits."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: set[_Waiting] = set()
        self._thread = CapacityLimiter(1)
        self._reading: asyncio.Task[None] | None = None

    async def after(self, job_id: str, revision: int) -> None:
        """Return once the job has changed after that revision, is gone, or nobody can say: whoever reads it is told.

        Now and then it returns for nothing.
        """
        waiting = _Waiting(job_id, revision)
        self._waiting.add(waiting)
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        try:
            await waiting.is_over.wait()
        finally:
            self._waiting.discard(waiting)

    async def _read(self) -> None:
        while self._waiting:
            known: dict[str, int] = {}
            for each in self._waiting:
                known[each.job_id] = min(each.revision, known.get(each.job_id, each.revision))
            try:
                changed = await to_thread.run_sync(self._ledger.changed, known, ROUND_S, limiter=self._thread)
            except Exception as error:  # nobody may be left waiting; who waits looks at its job, and meets the error
                log.warning("changes_unread", error=type(error).__name__)
                changed = frozenset(known)
            for each in [each for each in self._waiting if each.job_id in changed]:
                self._waiting.discard(each)
                each.is_over.set()
            if changed:
                await asyncio.sleep(ROUND_S)
