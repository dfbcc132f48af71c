"""What a newcomer runs first: it ends well, shows the scores, and cleans up after itself whatever happens."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from PIL import Image

from model_store.catalog import BUNDLES, read_catalog
from tests.cli.conftest import eventually

DIFFAM = Path(sys.executable).with_name("diffam")


@pytest.fixture
def home() -> Iterator[Path]:
    """The folder for temporary files of a demo's own, by which its processes are known; short, for the socket in it."""
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        yield Path(folder)


def start(*arguments: str | Path, home: Path | None = None) -> "subprocess.Popen[str]":
    """`diffam` with these arguments."""
    env = os.environ | ({"TMPDIR": str(home)} if home else {})
    return subprocess.Popen([DIFFAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)


def test_the_demo_shows_its_scores_and_leaves_nothing_even_when_its_port_is_taken(tmp_path: Path, home: Path) -> None:
    with socket.socket() as taken:
        with suppress(OSError):  # taken by somebody else already: as good
            taken.bind(("127.0.0.1", 8000))
            taken.listen()
        with start("demo", "--out", tmp_path, home=home) as demo:
            text, _ = demo.communicate(timeout=300)
    assert demo.returncode == 0, text
    for words in ("held-out", "surrogate", "own match", "target match", "PSNR", "SSIM", "LPIPS", "'demonstration'"):
        assert words in text
    assert "127.0.0.1:8000" not in text
    found = {path.name: opened(path) for path in tmp_path.iterdir()}
    assert found.pop("comparison.jpg")[0] == "JPEG"
    assert found == {"original.png": ("PNG", (1024, 1024)), "protected.png": ("PNG", (1024, 1024))}
    assert not living(home)


def test_an_interrupted_demo_leaves_no_process(tmp_path: Path, home: Path) -> None:
    with start("demo", "--out", tmp_path, home=home) as demo:
        assert eventually(lambda: len(living(home)) > 4)  # the demo itself, Valkey, two workers, web
        demo.send_signal(signal.SIGINT)
        assert demo.wait(timeout=60) == 130
    assert not living(home)


def test_a_demo_whose_job_fails_says_why_and_exits_1(tmp_path: Path) -> None:
    Image.new("RGB", (300, 300), "teal").save(tmp_path / "wall.png")
    with start("demo", "--photo", tmp_path / "wall.png", "--out", tmp_path) as demo:
        text, _ = demo.communicate(timeout=300)
    assert demo.returncode == 1
    assert "no_face_found" in text
    assert "Traceback" not in text


def test_a_photo_is_protected_without_a_service_too(tmp_path: Path, scene: bytes) -> None:
    (tmp_path / "me.png").write_bytes(scene)
    look = read_catalog(BUNDLES / "mini").references[0].id
    with start("protect", tmp_path / "me.png", "--reference", look, "--out", tmp_path / "out.jpg", "--json") as protect:
        text, _ = protect.communicate(timeout=300)
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
        text, _ = protect.communicate(timeout=300)
    assert protect.returncode == 1
    assert code in text
    assert "Traceback" not in text


def opened(path: Path) -> tuple[str | None, tuple[int, int]]:
    """Format and size of a picture."""
    with Image.open(path) as picture:
        return picture.format, picture.size


def living(home: Path) -> list[list[str]]:
    """Commands of all processes whose files, or whose parent's, are in `home`; other tests' stacks may run beside."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            command = process.cmdline()
            if any(str(home) in said for said in (*command, *process.environ().values())):
                found.append(command)
    return found
