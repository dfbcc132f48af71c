"""Keeps sibling processes alive and ends them together: a crash is reported and repaired, nothing is left behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread, main_thread
from time import monotonic
from typing import Self

from cli.errors import SiblingFailed

POLL_S = 0.1
CRASHES_MAX = 5  # within CRASH_WINDOW_S, then the whole stack gives up
CRASH_WINDOW_S = 60.0
START_S = 20.0
LOG_TAIL_LINES = 15


@dataclass(frozen=True, eq=False)
class Sibling:
    """A process to keep alive.

    orphan_signal: what it gets when the supervisor itself is killed.  stop_s: how long it may take to stop when asked.
    before_stop: called, in bounded time, while it still runs. Files are for this user alone.
    """

    name: str
    command: tuple[str, ...]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    pass_fds: tuple[int, ...] = ()
    orphan_signal: str = "SIGTERM"
    stop_s: float = 10.0
    is_up: Callable[[], bool] = lambda: True
    before_stop: Callable[[], object] = lambda: None

    def spawn(self) -> "subprocess.Popen[bytes]":
        """Start it in a session of its own, so that a terminal's Ctrl-C reaches the supervisor alone."""
        leash = (sys.executable, "-P", "-m", "cli.stack.leash", self.orphan_signal, str(os.getpid()))
        self.log.touch(mode=0o600)
        with self.log.open("ab") as log:
            return subprocess.Popen(
                (*leash, *self.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | self.env,
                pass_fds=self.pass_fds,
                start_new_session=True,
                umask=0o077,
            )

    def log_tail(self) -> str:
        """The last lines that it wrote."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])


class Supervisor:
    """Starts siblings in order, restarts those that end, stops them in reverse order when its block ends.

    One thread owns all children: a leash is tied to the thread that forked, so that thread must outlive them.
    report: told, in a few words, whatever happens to a sibling.
    """

    def __init__(self, siblings: Sequence[Sibling], report: Callable[[str], None]) -> None:
        self._siblings = siblings
        self._report = report
        self._running: dict[Sibling, subprocess.Popen[bytes]] = {}
        self._crashes: dict[Sibling, list[float]] = {sibling: [] for sibling in siblings}
        self._failure: SiblingFailed | None = None
        self._is_over = Event()
        self._thread = Thread(target=self._supervise, name="supervisor")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def check(self) -> None:
        """Raises SiblingFailed once a sibling cannot be kept alive; everything is stopped then."""
        if self._failure:
            raise self._failure

    def pid(self, name: str) -> int:
        """The process id of the sibling `name`. Raises StopIteration while it does not run."""
        return next(process.pid for sibling, process in self._running.items() if sibling.name == name)

    def _supervise(self) -> None:
        try:
            for sibling in self._siblings:
                if self._goes_on(0):
                    self._start(sibling)
            while self._goes_on(POLL_S):
                for sibling, process in list(self._running.items()):
                    if process.poll() is not None:
                        self._restart(sibling, process.returncode)
        except SiblingFailed as failure:
            self._failure = failure
        finally:
            for sibling in reversed(self._siblings):
                if sibling in self._running:
                    sibling.before_stop()
                    stop(self._running.pop(sibling), sibling.stop_s)

    def _goes_on(self, wait_s: float) -> bool:
        """False when told to stop, or when the main thread ended without saying so."""
        return not self._is_over.wait(wait_s) and main_thread().is_alive()

    def _start(self, sibling: Sibling) -> None:
        process = self._running[sibling] = sibling.spawn()
        deadline = monotonic() + START_S
        while not sibling.is_up() and self._goes_on(POLL_S / 4):
            if process.poll() is not None or monotonic() > deadline:
                raise SiblingFailed(f"{sibling.name} did not start:\n{sibling.log_tail()}")

    def _restart(self, sibling: Sibling, returncode: int) -> None:
        kill_group(self._running[sibling])
        now = monotonic()
        recent = [moment for moment in self._crashes[sibling] if moment > now - CRASH_WINDOW_S]
        self._crashes[sibling] = [*recent, now]
        if len(recent) >= CRASHES_MAX:
            raise SiblingFailed(f"{sibling.name} keeps ending ({describe(returncode)}):\n{sibling.log_tail()}")
        self._report(f"{sibling.name} ended ({describe(returncode)}); starting it again")
        if self._goes_on(len(recent) ** 2 * POLL_S):
            self._running[sibling] = sibling.spawn()


def describe(returncode: int) -> str:
    """How a process ended, in words."""
    return signal.Signals(-returncode).name if returncode < 0 else f"exit status {returncode}"


def stop(process: "subprocess.Popen[bytes]", patience_s: float) -> None:
    """Ask, wait, insist; and end whatever children it left in its process group."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(patience_s)
    kill_group(process)
    process.wait()


def kill_group(process: "subprocess.Popen[bytes]") -> None:
    """End every process of the group that `process` leads."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
