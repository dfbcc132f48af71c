"""Collects what many threads submit for a few milliseconds and runs it in one: a forward pass likes company.

One thread owns the accelerator. Photos that share a group (the same style's weights) travel together; a batch that
raises is halved until only the photo that raised is left, and only that one fails. What costs much gives way to what
costs little.
"""

from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Condition, Thread
from time import monotonic
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


GIVE_WAY_S = 1.0
"""For every unit of its cost an item lets those go first that came up to so many seconds after it."""


@dataclass(frozen=True, eq=False)
class _Waiting(Generic[Item, Result]):
    item: Item
    group: Hashable
    cost: int
    since: float = field(default_factory=monotonic)
    future: "Future[Result]" = field(default_factory=Future)

    @property
    def due(self) -> float:
        """Whose is least goes first: nobody is overtaken for ever."""
        return self.since + GIVE_WAY_S * self.cost


class Batcher(Generic[Item, Result]):
    """Runs `work` on up to `batch_size` items of one group, at most `wait_s` seconds after the first of them came.

    work: one result per item, in order; an exception in an item's place is that item's alone.
    cost: of an item. Those of one batch cost `most_cost` together at most; one that costs more travels alone.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Sequence[Result | Exception]],
        group: Callable[[Item], Hashable],
        cost: Callable[[Item], int] = lambda _: 1,
        *,
        batch_size: int,
        wait_s: float,
        most_cost: int | None = None,
    ) -> None:
        self._work = work
        self._group = group
        self._cost = cost
        self._batch_size = batch_size
        self._most_cost = batch_size if most_cost is None else most_cost
        self._wait_s = wait_s
        self._waiting: list[_Waiting[Item, Result]] = []
        self._changed = Condition()
        self._is_closed = False
        self._thread = Thread(target=self._serve, name="batcher", daemon=True)
        self._thread.start()

    def submit(self, item: Item) -> "Future[Result]":
        """Queue `item`; its future ends with its result or its own exception. Raises RuntimeError once closed.

        The future may be canceled at any time: what still waits then never travels, of the rest the result is dropped.
        """
        waiting = _Waiting[Item, Result](item, self._group(item), self._cost(item))
        with self._changed:
            if self._is_closed:
                raise RuntimeError("the batcher is closed")
            self._waiting.append(waiting)
            self._changed.notify()
        return waiting.future

    def close(self) -> None:
        """Finish what was submitted, take nothing more, end the thread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join()

    def _serve(self) -> None:
        while batch := self._next_batch():
            self._settle(batch)

    def _next_batch(self) -> list[_Waiting[Item, Result]]:
        """The first item and its groupmates; empty when closed and done. Nobody waits behind a fuller group."""
        with self._changed:
            while (first := self._first()) is None:
                if self._is_closed:
                    return []
                self._changed.wait()
            patience_s = max(0.0, first.since + self._wait_s - monotonic())
            self._changed.wait_for(lambda: self._is_closed or self._is_full(self._mates(first)), patience_s)
            batch = self._mates(first)
            self._waiting = [waiting for waiting in self._waiting if waiting not in batch]
            return batch

    def _first(self) -> _Waiting[Item, Result] | None:
        self._waiting = [waiting for waiting in self._waiting if not waiting.future.cancelled()]
        return min(self._waiting, key=lambda waiting: waiting.due, default=None)

    def _mates(self, first: _Waiting[Item, Result]) -> list[_Waiting[Item, Result]]:
        """`first` and those of its group that have room beside it."""
        batch, cost = [first], first.cost
        for waiting in sorted(self._waiting, key=lambda waiting: waiting.due):
            fits = len(batch) < self._batch_size and cost + waiting.cost <= self._most_cost
            if waiting is not first and waiting.group == first.group and fits:
                batch.append(waiting)
                cost += waiting.cost
        return batch

    def _is_full(self, batch: list[_Waiting[Item, Result]]) -> bool:
        return len(batch) == self._batch_size or sum(waiting.cost for waiting in batch) >= self._most_cost

    def _settle(self, batch: list[_Waiting[Item, Result]]) -> None:
        """Run `batch` and end its futures. The one place that catches everything: a job must end, whatever happened."""
        try:
            results = self._work([waiting.item for waiting in batch])
            pairs = list(zip(batch, results, strict=True))
        except Exception as error:
            if len(batch) == 1:
                _end(batch[0].future, error)
                return
            half = len(batch) // 2
            self._settle(batch[:half])
            self._settle(batch[half:])
            return
        for waiting, result in pairs:
            _end(waiting.future, result)


def _end(future: "Future[Result]", result: Result | Exception) -> None:
    """End a future, unless somebody canceled it meanwhile."""
    with suppress(InvalidStateError):
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
