"""Threads cannot be stopped from outside, so a worker that cannot go on ends its whole process.

The ledger hands its jobs to another worker and the supervisor starts a fresh one.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer
from typing import NoReturn

import structlog

log = structlog.get_logger()

EX_SOFTWARE = 70


def give_up(reason: str) -> NoReturn:
    """End this process now, without unwinding: a stuck accelerator would not let it."""
    log.critical("worker_gives_up", reason=reason)
    os._exit(EX_SOFTWARE)


@contextmanager
def budget(seconds: float, on_overrun: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Let the block run for `seconds` at most, then call `on_overrun` and end the process, whatever that raises."""

    def overrun() -> None:
        try:
            on_overrun()
        except Exception as error:  # the process must end: leases run out by themselves
            log.warning("last_words_lost", error=type(error).__name__)
        finally:
            give_up(f"work outran its {seconds:g} s")

    timer = Timer(seconds, overrun)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
