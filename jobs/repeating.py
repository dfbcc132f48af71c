"""Something that is done again and again, beside everything else."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

import structlog
from redis.exceptions import RedisError

log = structlog.get_logger()


@contextmanager
def repeating(name: str, act: Callable[[], object], every_s: float) -> Iterator[None]:
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
