"""A batch that outruns its budget takes the process with it; one in time does not."""

import subprocess
import sys

from worker.watchdog import EX_SOFTWARE


def run(budget_s: float, work_s: float) -> int:
    code = f"import time; from worker.watchdog import budget\nwith budget({budget_s}): time.sleep({work_s})"
    return subprocess.run([sys.executable, "-c", code], timeout=60, capture_output=True, check=False).returncode


def test_a_batch_that_outruns_its_budget_ends_the_process() -> None:
    assert run(budget_s=0.1, work_s=30) == EX_SOFTWARE


def test_last_words_are_said_but_never_hold_the_end_up() -> None:
    for words in ("print('last words', flush=True)", "raise ZeroDivisionError"):
        code = (
            f"import time; from worker.watchdog import budget\ndef say(): {words}\n"
            "with budget(0.1, say): time.sleep(30)"
        )
        ended = subprocess.run([sys.executable, "-c", code], timeout=60, capture_output=True, text=True, check=False)
        assert ended.returncode == EX_SOFTWARE
        assert ("last words" in ended.stdout) == ("print" in words)


def test_a_batch_in_time_goes_on() -> None:
    assert run(budget_s=30, work_s=0.1) == 0
