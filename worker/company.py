"""Who is at work in this process: jobs beside each other, suspects alone."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Condition

from jobs.claims import Claim
from worker.outcome import Abandoned

TURN_S = 0.2
"""How often a job that waits for its turn asks whether it is still wanted."""


class Company:
    """A suspect is a job under which a worker ended before. While one waits for its turn, nobody else begins."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._at_work: list[Claim] = []
        self._suspects = 0

    @contextmanager
    def beside(self, claims: Sequence[Claim], lost: "Future[None] | None" = None) -> Iterator[None]:
        """Work on `claims` inside the block, beside others. Raises Abandoned when they are `lost` before they begin."""
        with self._changed:
            while self._suspects:
                self._changed.wait(TURN_S)
                if lost is not None and lost.done():
                    raise Abandoned
            self._at_work += claims
        try:
            yield
        finally:
            self._leave(claims)

    @contextmanager
    def alone(self, claim: Claim, lost: "Future[None]") -> Iterator[None]:
        """Work on a suspect inside the block, beside nobody. Raises Abandoned when it is `lost` before its turn."""
        with self._changed:
            self._suspects += 1
            try:
                while self._at_work:
                    self._changed.wait(TURN_S)
                    if lost.done():
                        raise Abandoned
                self._at_work.append(claim)
            except BaseException:
                self._suspects -= 1
                self._changed.notify_all()
                raise
        try:
            yield
        finally:
            with self._changed:
                self._suspects -= 1
            self._leave([claim])

    def is_alone(self, claims: Sequence[Claim]) -> bool:
        """Whether nobody but these is at work."""
        with self._changed:
            return set(self._at_work) == set(claims)

    def _leave(self, claims: Sequence[Claim]) -> None:
        with self._changed:
            for claim in claims:
                self._at_work.remove(claim)
            self._changed.notify_all()
