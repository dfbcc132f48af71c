"""Runs somebody else's command: for so long, with so much to say, and never longer than we are there."""

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import IO

LIMIT_S = 1800.0
"""A hundred megabytes at half a megabit a second."""
POLL_S = 0.2
KEPT_BYTES = 16 * 2**10
"""The end of what a command says; pip's and npm's last words are what matters."""


@dataclass(frozen=True)
class Ended:
    """How a command ended; code is None where its time was up.  lines: its last words, standard error among them."""

    code: int | None
    lines: tuple[str, ...]


def run(
    command: Sequence[str], environment: Mapping[str, str], folder: Path | None = None, limit_s: float = LIMIT_S,
    meanwhile: Callable[[], None] = lambda: None,
) -> Ended:  # fmt: skip
    """Run a command in `folder`, or here; `meanwhile` is called a few times a second. Raises OSError.

    It gets a process group of its own: a package manager may be a script that starts another.
    """
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=folder,
        env=os.environ | dict(environment), start_new_session=True,
    )  # fmt: skip
    said = bytearray()
    reader = Thread(target=_keep_end, args=(process.stdout, said), daemon=True)
    reader.start()
    code, deadline = None, monotonic() + limit_s
    try:
        while code is None and monotonic() < deadline:
            try:
                code = process.wait(POLL_S)
            except subprocess.TimeoutExpired:
                meanwhile()
    finally:
        _end(process)
        reader.join(5 * POLL_S)  # a grandchild that left the group may hold the pipe open
    lines = (line.strip() for line in bytes(said).decode(errors="replace").splitlines())
    return Ended(code, tuple(line for line in lines if line))


def _keep_end(pipe: IO[bytes], said: bytearray) -> None:
    """Read until the pipe is closed, and forget all but the end."""
    with pipe:
        while piece := os.read(pipe.fileno(), 2**16):
            said += piece
            del said[:-KEPT_BYTES]


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Nothing of it may go on."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
