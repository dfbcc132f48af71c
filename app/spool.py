"""Where a photo waits on its way through the web process: in files, so that many large ones fill no memory."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from mmap import ACCESS_READ, mmap
from typing import IO

from jobs.settings import Settings

LINUX = sys.platform == "linux"
LARGE_PART = 4  # an upload of more than a quarter of the largest is large: most phones' photos are not


def open_spool() -> IO[bytes]:
    """An empty file that is gone when it is closed; on Linux it has no name, so not even a kill leaves it behind."""
    return tempfile.TemporaryFile() if LINUX else tempfile.NamedTemporaryFile()


def path_of(spool: IO[bytes]) -> str:
    """Where another process of ours finds it while we keep it open; its content must have been flushed."""
    return f"/proc/{os.getpid()}/fd/{spool.fileno()}" if LINUX else spool.name


def size_of(spool: IO[bytes]) -> int:
    """In bytes."""
    return os.fstat(spool.fileno()).st_size


def is_large(upload_bytes: int, settings: Settings) -> bool:
    """Whether an upload of that size has to leave room for others."""
    return upload_bytes > settings.max_upload_bytes // LARGE_PART


@contextmanager
def bytes_of(spool: IO[bytes]) -> Iterator[memoryview]:
    """Its content, at least one byte, without a copy of it in memory."""
    with mmap(spool.fileno(), 0, access=ACCESS_READ) as mapped, memoryview(mapped) as view:
        yield view
