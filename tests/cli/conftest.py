"""An embedded stack whose worker is the stand-in: everything real but the models."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from cli.stack.stack import Stack, running_stack
from diffam_client import Client
from jobs.settings import Settings

STAND_IN = (sys.executable, "-m", "tests.worker.stand_in")
MANIFEST = """
name = "mini"
grade = "demonstration"
[recognisers.stand_in]
[[references]]
id = "rose"
title = "Rose"
description = "Rose lips"
image = "rose.png"
[[targets]]
id = "ada"
title = "Ada"
consent = "virtual"
images = ["ada.png"]
[[styles]]
reference = "rose"
target = "ada"
held_out = "stand_in"
surrogates = []
file = "rose-ada.safetensors"
"""


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bundle that is a manifest only."""
    folder = tmp_path_factory.mktemp("bundles")
    (folder / "mini").mkdir()
    (folder / "mini" / "bundle.toml").write_text(MANIFEST)
    return folder


def own_settings(bundles: Path, data_dir: Path) -> Settings:
    """Settings of a stack with its own data folder and Valkey; leases are short, so that repairs are quick."""
    return Settings(_env_file=None, data_dir=data_dir, bundles_dir=bundles, port=0, lease_s=3, reap_every_s=0.5)


@pytest.fixture
def own(bundles: Path, tmp_path: Path) -> Settings:
    """Settings of a stack of the test's own."""
    return own_settings(bundles, tmp_path)


@dataclass(frozen=True)
class Watched:
    """A ready stack, the client of it, one for HTTP's own words, what was reported of its siblings, its
    settings."""

    stack: Stack
    api: Client
    client: httpx.Client
    reports: list[str]
    settings: Settings


@pytest.fixture(scope="session")
def watched(bundles: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """One stack for all tests that leave it whole."""
    settings, reports = own_settings(bundles, tmp_path_factory.mktemp("stack")), list[str]()
    with running_stack(settings, reports.append, STAND_IN) as stack:
        stack.wait_until_ready()
        with Client(stack.url) as api, httpx.Client(base_url=stack.url, timeout=60) as client:
            yield Watched(stack, api, client, reports, settings)


def eventually(is_so: Callable[[], object], timeout_s: float = 60) -> bool:
    """Whether `is_so` comes true in time; what is not there yet counts as false."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        with suppress(StopIteration, TypeError, psutil.NoSuchProcess, httpx.TransportError):
            if is_so():
                return True
        time.sleep(0.02)
    return False


def descendants(pid: int | None = None) -> list[psutil.Process]:
    """Every process below `pid`, this one by default, zombies left out."""
    below = psutil.Process(pid).children(recursive=True)
    return [process for process in below if process.status() != psutil.STATUS_ZOMBIE]
