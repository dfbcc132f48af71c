"""CONTRIBUTING.md names the commands, tiers and fixtures that there are, and its example of a new wish works."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
HUNK = re.compile(r"^@@\n((?:[ +-].*\n)+)", re.MULTILINE)


def test_every_make_target_is_told_and_none_that_is_not_there() -> None:
    (targets,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert set(re.findall(r"`make ([\w-]+)", PAGE)) == set(targets.split()) - {"help"}


def test_every_tier_is_told_and_none_that_is_not_there() -> None:
    markers = {marker.partition(":")[0] for marker in PROJECT["tool"]["pytest"]["ini_options"]["markers"]}
    assert set(re.findall(r"pytest -m (\w+)", PAGE)) == markers


def test_fixtures_are_where_the_table_says() -> None:
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+).*\]\((tests/.*?)\)", PAGE, re.MULTILINE)
    assert len(rows) >= 4
    for names, file in rows:
        source = (ROOT / file).read_text(encoding="utf-8")
        for name in re.findall(r"`(\w+)`", names):
            assert f"\ndef {name}(" in source, (name, file)


def applied(source: str, hunk: str) -> str:
    """The text with a hunk's lines in the place of those that it had before, which must stand there once."""
    lines = hunk.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if line[0] in " -")
    assert source.count(before) == 1, before
    return source.replace(before, "".join(line[1:] for line in lines if line[0] in " +"))


ASK_FOR_IT = """
import numpy as np
from typer.testing import CliRunner
from app.main import create_app
from cli.main import app
from cli.wishes import asked, read_wish
from diffam_client.asking import form_of
from diffam_core.images import decode_rgba
from diffam_client.contract.job import JobInput
from jobs.settings import Settings
from protection.pipeline import _write
from protection.plan import Upload

form = create_app(Settings(_env_file=None)).openapi()["paths"]["/v1/jobs"]["post"]["requestBody"]
fields = form["content"]["multipart/form-data"]["schema"]["properties"]
assert fields["opacity"]["enum"] == ["keep", "drop"]
assert "--opacity" in CliRunner().invoke(app, ["protect", "--help"], terminal_width=200).output
wish = read_wish({"reference_id": "rose", "opacity": "drop"})
assert form_of(asked(wish, None)) == {"reference_id": "rose", "opacity": "drop"}
assert JobInput.model_validate({"reference_id": "rose", "width": 1, "height": 1, "bytes": 1}).opacity == "keep"

photo = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
wishes = [read_wish({"reference_id": "rose", "opacity": text}) for text in ("keep", "drop")]
kept, dropped = (_write(Upload(wish, photo, photo[..., 0], [], (), (), 0.0), photo) for wish in wishes)
assert decode_rgba(kept)[1] is not None
assert decode_rgba(dropped)[1] is None
"""


def test_the_example_of_a_new_wish_needs_nothing_but_its_lines(tmp_path: Path) -> None:
    for package in ("app", "cli", "diffam_client", "diffam_core", "jobs", "model_store", "protection"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("bundles", "__pycache__"))
    (example,) = re.findall(r"^```diff\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    stat, *files = re.split(r"^\+\+\+ ", example, flags=re.MULTILINE)
    changed = {file.partition("\n")[0]: len(re.findall(r"^[+-]", file, re.MULTILINE)) for file in files}
    assert {name: int(lines) for name, lines in re.findall(r"^ (\S+) *\| (\d+) ", stat, re.MULTILINE)} == changed
    for name, _, hunks in (file.partition("\n") for file in files):
        source = (tmp_path / name).read_text(encoding="utf-8")
        for hunk in HUNK.findall(hunks):
            source = applied(source, hunk)
        (tmp_path / name).write_text(source, encoding="utf-8")
    answer = subprocess.run(
        [sys.executable, "-c", ASK_FOR_IT], cwd=tmp_path, timeout=300, check=False, capture_output=True, text=True,
        env={"PYTHONPATH": str(tmp_path), "COLUMNS": "200", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr


def test_a_hunk_that_no_longer_fits_is_refused() -> None:
    assert applied("a\nb\nc\n", " a\n+x\n") == "a\nx\nb\nc\n"
    with pytest.raises(AssertionError):
        applied("a\nb\nc\n", "-d\n+x\n")
