"""Collects what many threads submit for a few milliseconds and runs it in one: a forward pass likes company.

One thread owns the accelerator. Photos that share a group (the same style's weights) travel together; a batch that
raises is halved until only the photo that raised is left, and only that one fails.
"""

from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Condition, Thread
from time import monotonic
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class _Waiting(Generic[Item, Result]):
    item: Item
    group: Hashable
    since: float = field(default_factory=monotonic)
    future: "Future[Result]" = field(default_factory=Future)


class Batcher(Generic[Item, Result]):
    """Runs `work` on up to `batch_size` items of one group, at most `wait_s` seconds after the first of them came.

    work: one result per item, in order; an exception in an item's place is that item's alone.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Sequence[Result | Exception]],
        group: Callable[[Item], Hashable],
        *,
        batch_size: int,
        wait_s: float,
    ) -> None:
        self._work = work
        self._group = group
        self._batch_size = batch_size
        self._wait_s = wait_s
        self._waiting: list[_Waiting[Item, Result]] = []
        self._changed = Condition()
        self._is_closed = False
        self._thread = Thread(target=self._serve, name="batcher", daemon=True)
        self._thread.start()

    def submit(self, item: Item) -> "Future[Result]":
        """Queue `item`; its future ends with its result or its own exception. Raises RuntimeError once closed."""
        waiting = _Waiting[Item, Result](item, self._group(item))
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
        """The oldest item and its groupmates; empty when closed and done. Nobody waits behind a fuller group."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            if not self._waiting:
                return []
            oldest = self._waiting[0]
            patience_s = max(0.0, oldest.since + self._wait_s - monotonic())
            self._changed.wait_for(lambda: self._is_closed or len(self._mates(oldest)) == self._batch_size, patience_s)
            batch = self._mates(oldest)
            self._waiting = [waiting for waiting in self._waiting if waiting not in batch]
            return batch

    def _mates(self, oldest: _Waiting[Item, Result]) -> list[_Waiting[Item, Result]]:
        return [waiting for waiting in self._waiting if waiting.group == oldest.group][: self._batch_size]

    def _settle(self, batch: list[_Waiting[Item, Result]]) -> None:
        """Run `batch` and end its futures. The one place that catches everything: a job must end, whatever happened."""
        try:
            results = self._work([waiting.item for waiting in batch])
            pairs = list(zip(batch, results, strict=True))
        except Exception as error:
            if len(batch) == 1:
                batch[0].future.set_exception(error)
                return
            half = len(batch) // 2
            self._settle(batch[:half])
            self._settle(batch[half:])
            return
        for waiting, result in pairs:
            if isinstance(result, Exception):
                waiting.future.set_exception(result)
            else:
                waiting.future.set_result(result)
