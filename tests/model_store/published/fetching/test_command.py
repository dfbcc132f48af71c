"""Commands of others end: by themselves, when their time is up, or with us."""

import sys
from pathlib import Path
from time import monotonic, sleep

import psutil
import pytest

from model_store.published.fetching.command import KEPT_BYTES, Ended, run


def test_status_and_last_words_are_told(tmp_path: Path) -> None:
    code = "import os, sys; print('a'); print(os.environ['LIKE'], os.getcwd(), file=sys.stderr); sys.exit(3)"
    ended = run((sys.executable, "-u", "-c", code), {"LIKE": "this"}, tmp_path)
    assert ended == Ended(3, ("a", f"this {tmp_path}"))


def test_only_the_end_of_what_is_said_is_kept() -> None:
    ended = run((sys.executable, "-c", "print('x' * 10_000_000); print('last')"), {})
    assert ended.code == 0
    assert ended.lines[-1] == "last"
    assert sum(map(len, ended.lines)) <= KEPT_BYTES


def is_alive(pid: int) -> bool:
    """Whether it runs; one that ended and that nobody asked about does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


CHILD = "import os, time, pathlib; pathlib.Path('pid').write_text(str(os.getpid())); time.sleep(60)"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}])"


def has_ended(pid: int) -> bool:
    """Within some seconds."""
    for _ in range(100):
        if not is_alive(pid):
            return True
        sleep(0.05)
    return False


def test_when_its_time_is_up_it_ends_with_all_it_started(tmp_path: Path) -> None:
    began = monotonic()
    ended = run((sys.executable, "-c", PARENT), {}, tmp_path, limit_s=5)
    assert ended.code is None
    assert monotonic() < began + 30
    assert has_ended(int((tmp_path / "pid").read_text()))


def test_when_we_are_stopped_it_ends_as_well(tmp_path: Path) -> None:
    def stop() -> None:
        if (tmp_path / "pid").is_file() and (tmp_path / "pid").read_text():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run((sys.executable, "-c", PARENT), {}, tmp_path, meanwhile=stop)
    assert has_ended(int((tmp_path / "pid").read_text()))
