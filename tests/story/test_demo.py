"""What a newcomer runs first: it ends well, shows the scores, and cleans up after itself whatever happens."""

import json
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from PIL import Image

from model_store.catalog import BUNDLES, read_catalog
from tests.cli.conftest import descendants, eventually

PARTS = ("valkey-server", "worker.main", "worker.finetune", "billiard", "cli.web", "anyio.to_process")
DIFFAM = Path(sys.executable).with_name("diffam")


def start(*arguments: str | Path) -> "subprocess.Popen[str]":
    """`diffam` with these arguments."""
    return subprocess.Popen([DIFFAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_the_demo_shows_its_scores_and_leaves_nothing_even_when_its_port_is_taken(tmp_path: Path) -> None:
    before = set(psutil.pids())
    with socket.socket() as taken:
        with suppress(OSError):  # taken by somebody else already: as good
            taken.bind(("127.0.0.1", 8000))
            taken.listen()
        with start("demo", "--out", tmp_path) as demo:
            text, _ = demo.communicate(timeout=120)
    assert demo.returncode == 0, text
    for words in ("held-out", "surrogate", "own match", "target match", "PSNR", "SSIM", "LPIPS", "'demonstration'"):
        assert words in text
    assert "127.0.0.1:8000" not in text
    found = {path.name: opened(path) for path in tmp_path.iterdir()}
    assert found.pop("comparison.jpg")[0] == "JPEG"
    assert found == {"original.png": ("PNG", (1024, 1024)), "protected.png": ("PNG", (1024, 1024))}
    assert not ours(before)


def test_an_interrupted_demo_leaves_no_process(tmp_path: Path) -> None:
    before = set(psutil.pids())
    with start("demo", "--out", tmp_path) as demo:
        assert eventually(lambda: len(descendants(demo.pid)) >= 4, timeout_s=60)
        demo.send_signal(signal.SIGINT)
        assert demo.wait(timeout=30) == 130
    assert not ours(before)


def test_a_demo_whose_job_fails_says_why_and_exits_1(tmp_path: Path) -> None:
    Image.new("RGB", (300, 300), "teal").save(tmp_path / "wall.png")
    with start("demo", "--photo", tmp_path / "wall.png", "--out", tmp_path) as demo:
        text, _ = demo.communicate(timeout=120)
    assert demo.returncode == 1
    assert "no_face_found" in text
    assert "Traceback" not in text


def test_a_photo_is_protected_without_a_service_too(tmp_path: Path, scene: bytes) -> None:
    (tmp_path / "me.png").write_bytes(scene)
    look = read_catalog(BUNDLES / "mini").references[0].id
    with start("protect", tmp_path / "me.png", "--reference", look, "--out", tmp_path / "out.jpg", "--json") as protect:
        text, _ = protect.communicate(timeout=120)
    (face,) = json.loads(text[text.index("{") :])["faces"]
    assert face["scores"]["psnr_db"] > 20
    assert opened(tmp_path / "out.jpg") == ("JPEG", (512, 512))


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--reference", "tulip", "--out", "x.png"], "unknown_reference"),
        (["--reference", "rose", "--out", "x.gif"], "must end in .png"),
    ],
)
def test_a_wrong_word_is_one_line(tmp_path: Path, scene: bytes, arguments: list[str], code: str) -> None:
    (tmp_path / "me.png").write_bytes(scene)
    with start("protect", tmp_path / "me.png", *arguments) as protect:
        text, _ = protect.communicate(timeout=120)
    assert protect.returncode == 1
    assert code in text
    assert "Traceback" not in text


def opened(path: Path) -> tuple[str | None, tuple[int, int]]:
    """Format and size of a picture."""
    with Image.open(path) as picture:
        return picture.format, picture.size


def ours(before: set[int]) -> list[list[str]]:
    """Commands of processes of the stack that were not there `before`."""
    found = []
    for pid in set(psutil.pids()) - before:
        with suppress(psutil.NoSuchProcess):
            command = psutil.Process(pid).cmdline()
            if any(word in part for part in command for word in PARTS):
                found.append(command)
    return found
