"""What was erased is gone from disk: every file of a real stack is searched for the bytes of the photos it held."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
import pytest
from PIL import Image
from redis import Redis

from app.photo.canonical import PhotoLimits, canonical_photo
from cli.stack.stack import Stack, handed_down, running_stack
from cli.stack.valkey import answers, valkey_binary
from diffam_client import Client, Job, JobFailed
from jobs.settings import Settings
from tests.cli.conftest import STAND_IN, descendants, eventually, own_settings
from tests.cli.stack.test_stack import SERVE

BOUND_S = 6.0
"""`forget_s` of these stacks; a minute by default."""
LIMITS = PhotoLimits(max_pixels=1_000_000, max_side_px=5000, min_side_px=64)
WINDOW, STRIDE = 32, 997


class Secret(NamedTuple):
    """A photo that must not stay, and pieces of all forms in which it may lie somewhere."""

    upload: bytes
    pieces: list[bytes]


def pieces_of(*blobs: bytes) -> list[bytes]:
    """Some bytes of every stretch of a blob, its head left out: every file of a format begins with the same tables."""
    return [blob[at : at + WINDOW] for blob in blobs for at in range(1000, len(blob) - WINDOW, STRIDE)]


def secret(seed: int, file_format: str = "JPEG", has_face: bool = True) -> Secret:
    """Noise: nothing of it compresses, and nothing else looks like it."""
    pixels = np.random.default_rng(seed).integers(0, 256, (160, 200, 3), dtype=np.uint8)
    pixels[0, 0] = 255 if has_face else 0
    file = BytesIO()
    Image.fromarray(pixels).save(file, file_format, quality=95)
    canonical = canonical_photo(file.getvalue(), LIMITS).png
    raw = np.asarray(Image.open(BytesIO(canonical))).tobytes()
    return Secret(file.getvalue(), pieces_of(file.getvalue(), canonical, raw))


def found(pieces: list[bytes], *folders: Path) -> set[str]:
    """The files in which any of the pieces lies."""
    holders = set()
    for path in (path for folder in folders for path in folder.rglob("*")):
        try:
            data = path.read_bytes() if path.is_file() else b""
        except FileNotFoundError:  # a rewrite has just replaced it
            continue
        if any(piece in data for piece in pieces):
            holders.add(path.name)
    return holders


@pytest.fixture(scope="module")
def temporary() -> Iterator[Path]:
    """The folder in which this process and the stacks it starts keep what is temporary."""
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def settings_of(bundles: Path, data_dir: Path) -> Settings:
    return own_settings(bundles, data_dir).model_copy(update={"forget_s": BOUND_S, "result_ttl_s": 300})


class Carved(NamedTuple):
    """A running stack and where to search."""

    stack: Stack
    client: Client
    folders: tuple[Path, Path]

    def is_gone(self, pieces: list[bytes]) -> bool:
        return eventually(lambda: not found(pieces, *self.folders), BOUND_S)

    def post(self, photo: Secret) -> Job:
        """An accepted job, whose photo lies on disk now: else the search would prove nothing."""
        job = self.client.submit(photo.upload, reference="rose")
        assert found(photo.pieces, *self.folders)
        return job


@pytest.fixture(scope="module")
def carved(bundles: Path, tmp_path_factory: pytest.TempPathFactory, temporary: Path) -> Iterator[Carved]:
    data_dir = tmp_path_factory.mktemp("carved")
    with running_stack(settings_of(bundles, data_dir), print, STAND_IN) as stack:
        stack.wait_until_ready()
        with Client(stack.url) as client:
            yield Carved(stack, client, (data_dir, temporary))


def test_a_finished_photo_leaves_the_files_and_its_result_when_it_is_erased(carved: Carved) -> None:
    photo = secret(1)
    job = carved.client.wait(carved.post(photo))
    result = pieces_of(carved.client.result(job))
    assert carved.is_gone(photo.pieces)
    assert found(result, *carved.folders)
    carved.client.erase(job)
    assert carved.is_gone(result)


def test_a_photo_that_failed_leaves_the_files(carved: Carved) -> None:
    photo = secret(2, "PNG", has_face=False)
    job = carved.post(photo)
    with pytest.raises(JobFailed, match="no_face_found"):
        carved.client.fetch(carved.client.wait(job))
    assert carved.is_gone(photo.pieces)


@pytest.mark.parametrize("moment", ["queued", "running"])
@pytest.mark.parametrize("deed", ["cancel", "erase"])
def test_a_photo_that_was_canceled_or_erased_leaves_the_files(carved: Carved, moment: str, deed: str) -> None:
    photo = secret(3)
    job = carved.post(photo)
    if moment == "running":
        assert eventually(lambda: carved.client.get(job).status == "running")
    (carved.client.cancel if deed == "cancel" else carved.client.erase)(job)
    assert carved.is_gone(photo.pieces)


def test_a_result_that_expired_leaves_the_files(bundles: Path, tmp_path: Path, temporary: Path) -> None:
    settings = settings_of(bundles, tmp_path).model_copy(update={"result_ttl_s": 2})
    with running_stack(settings, print, STAND_IN) as stack, Client(stack.url) as client:
        stack.wait_until_ready()
        result = pieces_of(client.protect(secret(4).upload, reference="rose", output_format="png").photo)
        assert found(result, tmp_path)
        assert eventually(lambda: not found(result, tmp_path, temporary), 2 + BOUND_S)


def test_a_clean_stop_leaves_nothing_that_was_erased(bundles: Path, tmp_path: Path, temporary: Path) -> None:
    settings = settings_of(bundles, tmp_path).model_copy(update={"forget_s": 3600})  # only the stop can do it
    photo, kept = secret(5), secret(6)
    with running_stack(settings, print, STAND_IN) as stack, Client(stack.url) as client:
        stack.wait_until_ready()
        protected = client.protect(photo.upload, reference="rose", output_format="png")
        result = pieces_of(protected.photo)
        client.erase(protected.job)
        assert found(photo.pieces + result, tmp_path)
        os.kill(stack.supervisor.pid("worker"), signal.SIGSTOP)  # one that waits lives on
        client.submit(kept.upload, reference="rose")
    assert not found(photo.pieces + result, tmp_path, temporary)
    assert found(kept.pieces, tmp_path)


Kill = Callable[["subprocess.Popen[str]"], None]


def kill_all(stack: "subprocess.Popen[str]") -> None:
    for process in (psutil.Process(stack.pid), *descendants(stack.pid)):
        process.kill()


@pytest.mark.parametrize("kill", [kill_all, subprocess.Popen.kill], ids=["power cut", "supervisor killed"])
def test_after_a_crash_the_next_start_forgets(bundles: Path, tmp_path: Path, temporary: Path, kill: Kill) -> None:
    settings = settings_of(bundles, tmp_path).model_copy(update={"forget_s": 3600})
    command, env = [sys.executable, "-c", SERVE.format(worker=STAND_IN)], os.environ | handed_down(settings)
    photo, others = secret(7), set(temporary.iterdir())
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as crashed:
        assert crashed.stdout is not None
        url = crashed.stdout.readline().split()[2]
        with Client(url) as client:
            client.erase(client.submit(photo.upload, reference="rose"))
        below = descendants(crashed.pid)
        kill(crashed)
    assert eventually(lambda: not any(process.is_running() for process in below))
    assert found(photo.pieces, tmp_path)
    left = set(temporary.iterdir()) - others
    assert left
    (tmp_path / "temp-rewriteaof-bg-1.aof").write_bytes(photo.upload)  # a rewrite that the crash cut off
    for name in ("appendonly.aof.7.incr.aof", "appendonly.aof.7.base.rdb"):
        (tmp_path / "appendonlydir" / name).write_bytes(photo.upload)
    with running_stack(settings, print, STAND_IN) as stack:
        stack.wait_until_ready()
        assert eventually(lambda: not found(photo.pieces, tmp_path, temporary), BOUND_S)
        assert not [path.name for path in left if path.exists()]
    assert set(temporary.iterdir()) == others


def test_files_are_for_their_owner_alone_wherever_they_were_before(bundles: Path, tmp_path: Path) -> None:
    for name in ("logs", "looks/mini/references", "bundles"):
        (tmp_path / name).mkdir(parents=True, mode=0o755)
        (tmp_path / name / "was_here").touch(0o644)
    tmp_path.chmod(0o755)
    (tmp_path / "tool.sh").touch(0o755)
    with running_stack(settings_of(bundles, tmp_path), print, STAND_IN) as stack:
        stack.wait_until_ready()
        time.sleep(0.5)  # and whatever they write on their way
        paths = [tmp_path, *tmp_path.rglob("*")]
        open_ones = {
            str(path.relative_to(tmp_path))
            for path in paths
            if stat.S_IMODE(path.stat().st_mode) & 0o077 and "bundles" not in path.parts and path.name != "tool.sh"
        }
    assert open_ones == set()
    assert stat.S_IMODE((tmp_path / "bundles" / "was_here").stat().st_mode) == 0o644  # no photos; others read them
    assert stat.S_IMODE((tmp_path / "tool.sh").stat().st_mode) == 0o755  # not ours


CLI = """\
#!{python}
import sys
from redis import Redis
redis = Redis(unix_socket_path={path!r}, decode_responses=True)
redis.set_response_callback("INFO", lambda text, **_: text)
answer = redis.execute_command(*sys.argv[1:])
print("PONG" if answer is True else answer)
"""


def test_the_server_of_compose_forgets_at_its_start_and_before_its_end(tmp_path: Path) -> None:
    data_dir, socket_path, cli = tmp_path / "data", tmp_path / "valkey.sock", tmp_path / "valkey-cli"
    data_dir.mkdir(mode=0o755)
    cli.write_text(CLI.format(python=sys.executable, path=str(socket_path)))
    cli.chmod(0o755)
    command = [
        "sh",
        str(Path(__file__).parents[3] / "docker/valkey.sh"),
        "--port",
        "0",
        "--unixsocket",
        str(socket_path),
    ]
    env = os.environ | {"VALKEY_SERVER": str(valkey_binary()), "VALKEY_CLI": str(cli)}
    first, second, kept = (secret(seed).upload for seed in (8, 9, 10))

    def start() -> "subprocess.Popen[bytes]":
        server = subprocess.Popen(command, cwd=data_dir, env=env, stdout=subprocess.DEVNULL)
        assert eventually(answers(socket_path))
        return server

    with start() as server, Redis(unix_socket_path=str(socket_path)) as redis:
        for name, value in (("first", first), ("second", second), ("kept", kept)):
            redis.set(name, value)
        redis.config_set("rdb-key-save-delay", 300_000)
        redis.bgrewriteaof()  # one that began before
        redis.delete("first")
        assert found(pieces_of(first), data_dir)
        server.terminate()
        assert server.wait(timeout=60) == 0
    assert not found(pieces_of(first), data_dir)
    assert found(pieces_of(kept), data_dir)
    with start() as server, Redis(unix_socket_path=str(socket_path)) as redis:
        redis.delete("second")
        for process in (psutil.Process(server.pid), *descendants(server.pid)):
            process.kill()
    assert found(pieces_of(second), data_dir)
    (data_dir / "temp-rewriteaof-bg-1.aof").write_bytes(second)
    for name in ("appendonly.aof.9.incr.aof", "appendonly.aof.9.base.rdb"):
        (data_dir / "appendonlydir" / name).write_bytes(second)
    with start() as server, Redis(unix_socket_path=str(socket_path)) as redis:
        assert eventually(lambda: not found(pieces_of(second), data_dir), 10)
        assert redis.get("kept") == kept
        server.terminate()
        assert server.wait(timeout=60) == 0
    assert not [path for path in data_dir.rglob("*") if stat.S_IMODE(path.stat().st_mode) & 0o077]
