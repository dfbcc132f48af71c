"""A folder of photos, protected on this machine: killed half-way, taken up again, and measured as one album."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from cli.album.journal import NAME
from cli.main import app
from tests.cli.conftest import eventually
from tests.people import shot
from tests.story.conftest import Service

pytestmark = pytest.mark.xdist_group("service")

PHOTOS = {"beach/a.png": (1, 1), "b.png": (1, 2), "c.jpeg": (2, 1)}
"""Who is on which photo; two are of one person. The last one's name lies about its format."""
DIFFAM = Path(sys.executable).with_name("diffam")
EMBEDDING = 16
"""More numbers in a row than a report has; the smallest recogniser's embedding has more."""


@dataclass(frozen=True)
class Finished:
    """An out folder, what the command said, and which files were there when it was killed."""

    album: Path
    out: Path
    said: str
    status: int
    early: dict[str, int]

    @property
    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.out / "report.json").read_text())
        return found

    def written(self) -> dict[str, int]:
        """When each photo was written, in nanoseconds."""
        return written(self.out)


def written(out: Path) -> dict[str, int]:
    names = (path for path in sorted(out.rglob("*.png")))
    return {path.relative_to(out).as_posix(): path.stat().st_mtime_ns for path in names}


def words(album: Path, out: Path, *more: str) -> list[str]:
    return ["protect", str(album), "--reference", "rose", "--out", str(out), *more]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """An album whose first run was killed without warning, after its second run."""
    folder = tmp_path_factory.mktemp("album")
    album, out = folder / "in", folder / "out"
    for name, (person, number) in PHOTOS.items():
        (album / name).parent.mkdir(parents=True, exist_ok=True)
        (album / name).write_bytes(shot(person, number))
    Image.new("RGB", (200, 150), "teal").save(album / "wall.png")
    (album / "notes.txt").write_text("a list of names")
    with subprocess.Popen([DIFFAM, *words(album, out)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as first:
        assert eventually(lambda: written(out), timeout_s=200)
        os.kill(first.pid, signal.SIGKILL)
    early = written(out)
    answer = CliRunner().invoke(app, words(album, out))
    return Finished(album, out, answer.output, answer.exit_code, early)


def test_a_photo_that_cannot_be_protected_is_told_and_stops_no_other(run: Finished) -> None:
    assert run.status == 1
    assert "wall.png: no_face_found" in run.said
    assert "notes.txt" in run.said
    assert "3 of 4 photos are protected" in run.said
    assert set(run.written()) == {"beach/a.png", "b.png", "c.png"}


def test_what_was_finished_before_the_kill_is_not_made_again(run: Finished) -> None:
    noted = [json.loads(line) for line in (run.out / NAME).read_text().splitlines()]
    assert run.early
    assert len(noted) == 4
    assert f"{len(run.early)} of them in an earlier run" in run.said
    assert {name: run.written()[name] for name in run.early} == run.early


def test_photos_of_one_person_wear_different_targets_and_no_longer_link(run: Finished) -> None:
    rows = {row["photo"]: row for row in run.report["photos"]}
    assert rows["beach/a.png"]["people"] == rows["b.png"]["people"] != rows["c.jpeg"]["people"]
    assert rows["beach/a.png"]["target"] != rows["b.png"]["target"]
    before, after = run.report["linkability"]["before"], run.report["linkability"]["after"]
    assert (before["pairs"], after["pairs"]) == (1, 1)
    assert set(before["by_recogniser"].values()) == {1.0}
    assert after["every_held_out"] == 0.0
    assert run.report["sentence"] in " ".join(run.said.split())


def test_the_page_shows_every_photo_before_and_after(run: Finished) -> None:
    page = (run.out / "report.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 2 * len(PHOTOS) + 1
    assert run.report["photos"][0]["faces"][0]["verdict"]["sentence"] in page
    assert "Keep it to yourself" in page


def test_no_embedding_is_written_anywhere(run: Finished) -> None:
    def longest(found: Any) -> int:
        parts = found.values() if isinstance(found, dict) else found if isinstance(found, list) else ()
        numbers = sum(isinstance(part, float) for part in parts)
        return max([numbers, *(longest(part) for part in parts)])

    assert longest(run.report) < EMBEDDING
    assert all(longest(json.loads(line)) < EMBEDDING for line in (run.out / NAME).read_text().splitlines())


def test_a_photo_that_changed_is_made_again_and_the_others_are_not(run: Finished, tmp_path: Path) -> None:
    shutil.copytree(run.album, tmp_path / "in")
    shutil.copytree(run.out, tmp_path / "out")
    (tmp_path / "in/wall.png").unlink()
    (tmp_path / "in/c.jpeg").write_bytes(shot(2, 2))
    before = written(tmp_path / "out")
    answer = CliRunner().invoke(app, words(tmp_path / "in", tmp_path / "out"))
    assert answer.exit_code == 0, answer.output
    after = written(tmp_path / "out")
    assert {name for name in before if before[name] != after[name]} == {"c.png"}


def test_a_service_makes_an_album_from_afar(service: Service, run: Finished, tmp_path: Path) -> None:
    more = ["--server", service.stack.url, "--format", "webp", "--strength", "0.8"]
    answer = CliRunner().invoke(app, words(run.album, tmp_path / "out", *more, "--json"))
    assert answer.exit_code == 1, answer.output
    assert "Who is on which photo is found out here" in answer.output
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert [row["code"] for row in report["photos"]] == [None, None, None, "no_face_found"]
    assert [row["people"] for row in report["photos"]] == [row["people"] for row in run.report["photos"]]
    for row in report["photos"][:3]:
        with Image.open(tmp_path / "out" / row["out"]) as picture:
            assert (picture.format, picture.size) == ("WEBP", (320, 320))
        assert row["faces"][0]["strength"] == 0.8
