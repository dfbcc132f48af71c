"""Whatever is sent, a running service answers as its OpenAPI document says: Schemathesis asks, in all its ways.

Examples, borders, random requests that the document allows and that it does not, and chains of calls along the
document's links; every check of Schemathesis, and those of `hooks.py`. A failure shows the requests as curl commands.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.contract.conftest import Served

ROOT = Path(__file__).parents[2]
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
CONFIG = Path(__file__).with_name("schemathesis.toml")
TEN_MINUTES_S = 600


def asked(served: Served, *how: str) -> "subprocess.CompletedProcess[str]":
    """Schemathesis once through; what it told."""
    command: list[str | Path] = [
        SCHEMATHESIS,
        "--no-color",
        "--config-file",
        CONFIG,
        "run",
        f"{served.url}/openapi.json",
        *how,
    ]
    env = os.environ | {"DIFFAM_API_KEY": served.key, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    return subprocess.run(command, cwd=ROOT, env=env, timeout=1800, check=False, capture_output=True, text=True)


@contextmanager
def paused(pid: int) -> Iterator[None]:
    """A process that does nothing in the block: each long job would load torch, and cost the others their seconds."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_the_service_answers_as_its_document_says(served: Served) -> None:
    with paused(served.finetune_pid):
        told = asked(served, "--max-examples", "5")
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.slow
@pytest.mark.timeout(2 * TEN_MINUTES_S)
def test_it_still_does_after_ten_minutes(served: Served) -> None:
    told = asked(served, "--max-time", str(TEN_MINUTES_S))
    sys.stdout.write(told.stdout)
    assert told.returncode == 0, told.stderr
