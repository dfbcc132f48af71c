"""Siblings live together and end together."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from cli.errors import SiblingFailed
from cli.stack.supervisor import Sibling, Supervisor
from tests.cli.conftest import descendants, eventually

SLEEP = (sys.executable, "-c", "import time; time.sleep(600)")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(600)",
)
PARENT = (sys.executable, "-c", "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'], stdin=-1)")
HELPLESS = (sys.executable, "-c", "raise SystemExit('no licence found')")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "sibling.log"


def test_a_killed_sibling_is_reported_and_started_again(log: Path) -> None:
    reports: list[str] = []
    with Supervisor([Sibling("sleeper", SLEEP, log)], reports.append) as supervisor:
        assert eventually(lambda: supervisor.pid("sleeper"))
        first = supervisor.pid("sleeper")
        os.kill(first, signal.SIGKILL)
        assert eventually(lambda: supervisor.pid("sleeper") != first)
        second = supervisor.pid("sleeper")
    assert reports == ["sleeper ended (SIGKILL); starting it again"]
    assert not psutil.pid_exists(second)


def test_siblings_start_in_order_each_after_the_one_before_is_up(log: Path) -> None:
    asked: list[str] = []

    def up(name: str) -> Callable[[], bool]:
        def is_up() -> bool:
            asked.append(name)
            return len(asked) > 2

        return is_up

    siblings = [Sibling("first", SLEEP, log, is_up=up("first")), Sibling("second", SLEEP, log, is_up=up("second"))]
    with Supervisor(siblings, print) as supervisor:
        assert eventually(lambda: supervisor.pid("second"))
    assert asked == ["first", "first", "first", "second"]


def test_one_that_keeps_ending_stops_them_all_and_shows_its_last_words(log: Path) -> None:
    before = descendants()
    siblings = [Sibling("sleeper", SLEEP, log.with_name("s")), Sibling("helpless", HELPLESS, log)]
    with Supervisor(siblings, print) as supervisor:
        assert eventually(lambda: supervisor._failure)
        assert eventually(lambda: descendants() == before)
        with pytest.raises(SiblingFailed, match="no licence found"):
            supervisor.check()


def test_one_that_never_comes_up_is_told_apart_from_one_that_crashed(log: Path) -> None:
    with Supervisor([Sibling("mute", HELPLESS, log, is_up=lambda: False)], print) as supervisor:
        assert eventually(lambda: supervisor._failure)
        with pytest.raises(SiblingFailed, match="did not start"):
            supervisor.check()


def test_a_stubborn_sibling_is_ended_after_its_patience(log: Path) -> None:
    sibling = Sibling("stubborn", STUBBORN, log, stop_s=0.2, is_up=lambda: log.exists() and log.stat().st_size > 0)
    with Supervisor([sibling], print) as supervisor:
        assert eventually(lambda: supervisor.pid("stubborn") and log.read_text())
        pid = supervisor.pid("stubborn")
    assert not psutil.pid_exists(pid)


def test_what_a_sibling_started_ends_with_it(log: Path) -> None:
    with Supervisor([Sibling("parent", PARENT, log)], print) as supervisor:
        seen: list[psutil.Process] = []

        def is_seen() -> bool:  # one look for both: a child may be a passing one
            seen[:] = psutil.Process(supervisor.pid("parent")).children()
            return bool(seen)

        assert eventually(is_seen)
        grandchild = seen[-1]
    assert eventually(lambda: not grandchild.is_running())


@pytest.mark.skipif(sys.platform != "linux", reason="the leash is a Linux facility")
def test_siblings_die_with_a_supervisor_that_is_killed(log: Path) -> None:
    code = (
        "from pathlib import Path\nfrom time import sleep\nfrom cli.stack.supervisor import Sibling, Supervisor\n"
        f"with Supervisor([Sibling('sleeper', {SLEEP!r}, Path({str(log)!r}))], print): sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as supervisor:
        above = psutil.Process(supervisor.pid)
        assert eventually(above.children)
        (sleeper,) = above.children()
        supervisor.kill()
    assert eventually(lambda: not sleeper.is_running() or sleeper.status() == psutil.STATUS_ZOMBIE)
