"""Company when there is some, no waiting when there is none, and nobody fails for somebody else."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, closing
from dataclasses import replace
from threading import Event
from time import monotonic

import pytest

from worker.batcher import GIVE_WAY_S, Batcher, _Waiting

Work = Callable[[Sequence[str]], Sequence[str | Exception]]
Start = Callable[..., Batcher[str, str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Batchers grouped by first letter, closed after the test."""
    with ExitStack() as opened:

        def begin(work: Work, batch_size: int = 4, wait_s: float = 0.1) -> Batcher[str, str]:
            batcher = Batcher[str, str](work, lambda item: item[0], batch_size=batch_size, wait_s=wait_s)
            return opened.enter_context(closing(batcher))

        yield begin


def shout(items: Sequence[str]) -> list[str]:
    return [item.upper() for item in items]


def results(futures: Sequence[Future[str]]) -> list[str]:
    return [future.result(timeout=60) for future in futures]


class Recorder:
    """Remembers every batch and works like `work`."""

    def __init__(self, work: Work = shout) -> None:
        self.batches: list[list[str]] = []
        self.work = work

    def __call__(self, items: Sequence[str]) -> Sequence[str | Exception]:
        self.batches.append(list(items))
        return self.work(items)


def test_items_of_a_moment_travel_together_and_keep_their_order(start: Start) -> None:
    work = Recorder()
    batcher = start(work)
    assert results([batcher.submit(item) for item in ("a1", "a2", "a3")]) == ["A1", "A2", "A3"]
    assert work.batches == [["a1", "a2", "a3"]]


def test_a_full_batch_leaves_without_waiting(start: Start) -> None:
    batcher = start(shout, batch_size=2, wait_s=60)
    started = monotonic()
    results([batcher.submit(item) for item in ("a1", "a2")])
    assert monotonic() - started < 20


def test_no_batch_is_larger_than_allowed_nor_mixed(start: Start) -> None:
    work = Recorder()
    batcher = start(work, batch_size=3)
    items = [f"{group}{number}" for number in range(4) for group in "abc"]
    assert sorted(results([batcher.submit(item) for item in items])) == sorted(item.upper() for item in items)
    assert all(len(batch) <= 3 and len({item[0] for item in batch}) == 1 for batch in work.batches)


def test_the_oldest_goes_first_whatever_crowd_is_behind_it(start: Start) -> None:
    gate = Event()

    def slow(items: Sequence[str]) -> list[str]:
        gate.wait(5)
        return shout(items)

    work = Recorder(slow)
    batcher = start(work, batch_size=2, wait_s=0.01)
    futures = [batcher.submit("x0")]
    while not work.batches:
        pass
    futures += [batcher.submit(item) for item in ("a1", "b1", "b2")]
    gate.set()
    results(futures)
    assert work.batches == [["x0"], ["a1"], ["b1", "b2"]]


def test_what_costs_much_travels_alone_and_gives_way() -> None:
    gate = Event()

    def slow(items: Sequence[str]) -> list[str]:
        gate.wait(5)
        return shout(items)

    work = Recorder(slow)
    with closing(Batcher[str, str](work, lambda _: 0, len, batch_size=4, wait_s=0.01, most_cost=6)) as batcher:
        futures = [batcher.submit("x")]
        while not work.batches:
            pass
        futures += [batcher.submit(item) for item in ("a crowd of many", "ab", "abc", "abcd")]
        gate.set()
        results(futures)
    assert work.batches == [["x"], ["ab", "abc"], ["abcd"], ["a crowd of many"]]


def test_nobody_is_overtaken_for_ever() -> None:
    crowd, small = _Waiting[str, str]("crowd", 0, 30), _Waiting[str, str]("small", 0, 1)
    assert small.due < crowd.due
    assert replace(small, since=small.since + 31 * GIVE_WAY_S).due > crowd.due


def test_what_is_canceled_never_travels_and_ends_no_batch(start: Start) -> None:
    gate = Event()

    def slow(items: Sequence[str]) -> list[str]:
        gate.wait(5)
        return shout(items)

    work = Recorder(slow)
    batcher = start(work, wait_s=0.01)
    travels = batcher.submit("x0")
    while not work.batches:
        pass
    waits, stays = batcher.submit("a1"), batcher.submit("a2")
    assert travels.cancel()
    assert waits.cancel()
    gate.set()
    assert stays.result(timeout=60) == "A2"
    assert work.batches == [["x0"], ["a2"]]


def test_an_item_that_raises_fails_alone_in_its_batch(start: Start) -> None:
    def picky(items: Sequence[str]) -> list[str]:
        if "abad" in items:
            raise ValueError("indigestible")
        return shout(items)

    batcher = start(picky)
    good, bad, fine = (batcher.submit(item) for item in ("a1", "abad", "a3"))
    assert results([good, fine]) == ["A1", "A3"]
    assert isinstance(bad.exception(timeout=60), ValueError)


def test_an_exception_in_an_items_place_is_its_own(start: Start) -> None:
    batcher = start(lambda items: [KeyError(item) if item == "a2" else item for item in items])
    first, second = batcher.submit("a1"), batcher.submit("a2")
    assert first.result(timeout=60) == "a1"
    assert isinstance(second.exception(timeout=60), KeyError)


def test_work_that_loses_a_result_fails_its_items_instead_of_hanging(start: Start) -> None:
    batcher = start(lambda _: [])
    assert isinstance(batcher.submit("a1").exception(timeout=60), ValueError)


def test_closing_finishes_what_was_submitted_and_takes_nothing_more() -> None:
    batcher = Batcher[str, str](shout, len, batch_size=8, wait_s=60)
    future = batcher.submit("a1")
    batcher.close()
    assert future.result(timeout=0) == "A1"
    with pytest.raises(RuntimeError):
        batcher.submit("a2")
