"""The client's own distribution, installed where nothing else is, protects a photo."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from cli.stack.stack import Stack

pytestmark = pytest.mark.xdist_group("client")

ROOT = Path(__file__).parents[2]
PROTECT = """
import sys
from importlib.metadata import distributions
from diffam_client import Client

url, photo, out = sys.argv[1:]
with Client(url) as client:
    print(client.protect(photo, reference="rose").save(out))
print(*sorted(each.name.lower() for each in distributions()))
"""


def run(*command: str | Path, folder: Path) -> "subprocess.CompletedProcess[str]":
    """The command, away from this tree, whatever the environment says about it."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(command, cwd=folder, env=env, timeout=300, check=False, capture_output=True, text=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built of a copy, since building leaves things behind."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT / "diffam_client", folder / "source", ignore=shutil.ignore_patterns("__pycache__"))
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder)
    built = run(*pip, folder / "source", folder=folder)
    assert built.returncode == 0, built.stderr
    (made,) = folder.glob("diffam_client-*.whl")
    return made


def test_the_wheel_holds_every_module_and_the_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "diffam_client").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == modules
    assert "diffam_client/py.typed" in names
    assert any(name.endswith("/LICENSE") for name in names)


def test_where_nothing_else_is_installed_a_photo_is_protected(
    wheel: Path, stack: Stack, photo: bytes, tmp_path: Path
) -> None:
    (tmp_path / "me.png").write_bytes(photo)
    python = tmp_path / "venv/bin/python"
    assert run(sys.executable, "-m", "venv", tmp_path / "venv", folder=tmp_path).returncode == 0
    installed = run(python, "-m", "pip", "install", "--quiet", wheel, folder=tmp_path)
    if installed.returncode and run(python, "-m", "pip", "download", "--no-deps", "httpx", folder=tmp_path).returncode:
        pytest.skip("no package index can be reached from here")
    assert installed.returncode == 0, installed.stderr
    told = run(python, "-c", PROTECT, stack.url, "me.png", "out.png", folder=tmp_path)
    assert told.returncode == 0, told.stderr
    saved, names = told.stdout.splitlines()
    assert saved == "out.png"
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    assert "diffam-client" in names.split()
    assert not {"diffam", "torch", "numpy", "fastapi", "redis", "pillow"} & set(names.split())
