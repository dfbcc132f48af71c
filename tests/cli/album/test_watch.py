"""A folder is protected as photos arrive: each once, none before it is whole, whatever becomes of who watches."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path
from threading import Event, Thread
from time import sleep

import pytest
from PIL import Image
from typer.testing import CliRunner

from cli.album.arrivals import Arrivals
from cli.album.dealing import plan_work
from cli.album.folder import Album, find_photos
from cli.album.journal import Journal, open_journal
from cli.album.sight import Sight
from cli.album.watch import RETRY_S, Watching
from cli.album.work import Maker, fingerprint
from cli.errors import AlreadyRunning
from cli.main import app
from cli.make import Make, Picture
from diffam_client import Unreachable
from diffam_client.contract.report import OnProgress
from diffam_client.contract.wish import Wish
from diffam_core.errors import NoFaceFound
from model_store.bundle import Bundle
from model_store.digest import sha256_of
from tests.cli.conftest import Watched, eventually
from tests.finished import protected_face

DIFFAM = Path(sys.executable).with_name("diffam")
SETTLE_S = 5.0


def photo(number: int, side: int = 64) -> bytes:
    """A small PNG like no other."""
    file = BytesIO()
    noise = random.Random(number).randbytes(side * side * 3)
    Image.frombytes("RGB", (side, side), noise).save(file, "PNG")
    return file.getvalue()


class Making:
    """Obeys `Make`: the upload itself, or the failure that was set; `made` has every upload."""

    def __init__(self) -> None:
        self.made: list[bytes] = []
        self.fails: Exception | None = None

    def __call__(self, upload: bytes, target: str | None, _on_progress: OnProgress) -> list[Picture]:
        self.made.append(upload)
        if self.fails:
            raise self.fails
        return [Picture(upload, "rose", target, 1.0, [protected_face()], {"name": "mini"}, {})]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture
def making() -> Making:
    return Making()


def watching(folder: Path, journal: Journal, make: Make, asked: str = "wish") -> Watching:
    out = folder.parent / "out"
    maker = Maker(make, 1, Event())
    return Watching(
        Arrivals(folder, out, SETTLE_S), Album(folder, out, [], []), journal, maker, asked, ".png", ["ada", "bea"]
    )


@pytest.fixture
def watched_folder(folder: Path, making: Making) -> Iterator[Watching]:
    with open_journal(folder.parent / "out") as journal:
        yield watching(folder, journal, making)


def test_a_file_is_taken_when_it_has_stopped_growing(folder: Path, watched_folder: Watching, making: Making) -> None:
    whole = photo(1)
    (folder / "a.png").write_bytes(whole[:100])
    assert watched_folder.round(0) == watched_folder.round(4) == []
    with (folder / "a.png").open("ab") as file:
        file.write(whole[100:])
    assert watched_folder.round(6) == watched_folder.round(10) == []
    (entry,) = watched_folder.round(11)
    assert (entry.photo, entry.out, entry.status) == ("a.png", "a.png", "protected")
    assert (folder.parent / "out" / "a.png").read_bytes() == whole
    assert watched_folder.round(100) == []
    assert making.made == [whole]


def test_what_is_made_is_made_once_also_after_a_new_start_and_again_when_it_changes(
    folder: Path, making: Making
) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "a.jpg").write_bytes(photo(1))
    for _ in range(2):
        with open_journal(folder.parent / "out") as journal:
            starting = watching(folder, journal, making)
            rounds = [starting.round(now) for now in (0, 10, 20)]
    assert rounds == [[], [], []]
    assert making.made == [photo(1)]
    with open_journal(folder.parent / "out") as journal:
        starting = watching(folder, journal, making)
        starting.round(0)
        (folder / "sub" / "a.jpg").write_bytes(photo(2))
        assert [len(starting.round(now)) for now in (1, 10)] == [0, 1]
    with open_journal(folder.parent / "out") as journal:
        starting = watching(folder, journal, making, asked="another wish")
        assert [len(starting.round(now)) for now in (0, 10)] == [0, 1]
    assert making.made == [photo(1), photo(2), photo(2)]


def test_a_photo_that_cannot_be_protected_is_told_once_and_a_service_that_is_away_is_asked_again(
    folder: Path, watched_folder: Watching, making: Making
) -> None:
    (folder / "tree.png").write_bytes(photo(1))
    making.fails = NoFaceFound("no face in the photo")
    watched_folder.round(0)
    assert [each.code for each in watched_folder.round(5)] == ["no_face_found"]
    making.fails = Unreachable("nobody answers")
    (folder / "me.png").write_bytes(photo(2))
    watched_folder.round(10)
    assert [each.code for each in watched_folder.round(15)] == ["service_unreachable"]
    making.fails = None
    assert watched_folder.round(15 + RETRY_S - 1) == []
    assert [each.photo for each in watched_folder.round(15 + RETRY_S)] == ["me.png"]
    assert making.made == [photo(1), photo(2), photo(2)]


def test_names_stay_and_targets_take_turns(folder: Path, watched_folder: Watching) -> None:
    for number, name in enumerate(("a.jpg", "a.png", "b.png", "B.webp")):
        (folder / name).write_bytes(photo(number))
        os.utime(folder / name, (number, number))
    (folder / "notes.txt").write_text("no photo")
    (folder / ".hidden.png").write_bytes(photo(9))
    (folder / "empty.png").touch()
    watched_folder.round(0)
    made = watched_folder.round(5)
    assert [(each.photo, each.out, each.target) for each in made] == [
        ("a.jpg", "a.png", "ada"), ("a.png", "a.png.png", "bea"), ("b.png", "b.png", "ada"),
        ("B.webp", "B.webp.png", "bea"),
    ]  # fmt: skip


def test_an_album_finds_finished_what_was_watched_however_it_is_called(
    folder: Path, making: Making, bundle: Bundle
) -> None:
    for number, name in enumerate(("a.jpg", "a.png", "b.png")):
        (folder / name).write_bytes(photo(number))
    wish, out = Wish(reference_id="rose"), folder.parent / "out"
    with open_journal(out) as journal:
        watched = watching(folder, journal, making, asked=fingerprint(wish, bundle.catalog.name))
        assert [len(watched.round(now)) for now in (0, 10)] == [0, 3]
        album = find_photos(folder, out)
        sights = [Sight(sha256_of(folder / name), [], None) for name in album.photos]
        assert plan_work(bundle, album, journal, wish, sights, ["ada"]).todo == []
        (out / "a.png.png").unlink()
        assert [each.photo for each in plan_work(bundle, album, journal, wish, sights, ["ada"]).todo] == ["a.png"]


def test_two_never_fill_one_folder(folder: Path) -> None:
    with open_journal(folder), pytest.raises(AlreadyRunning), open_journal(folder):
        pass


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--ask", "strength"], "--ask takes field=value"),
        (["--ask", "strength=9"], "--strength must be a number from 0 to 1"),
        (["--ask", "candidates=2"], "an album keeps one picture"),
    ],
)
def test_what_cannot_be_asked_is_told_before_anything_loads(folder: Path, words: list[str], told: str) -> None:
    command = ["watch", str(folder), "--reference", "rose", "--out", str(folder.parent / "out"), *words]
    answer = CliRunner().invoke(app, command)
    assert answer.exit_code == 1
    assert told in answer.output


def test_the_folder_itself_is_never_written_to(folder: Path) -> None:
    answer = CliRunner().invoke(app, ["watch", str(folder), "--reference", "rose", "--out", str(folder)])
    assert (answer.exit_code, list(folder.iterdir())) == (1, [])


@contextmanager
def arriving(folder: Path, photos: dict[str, bytes], every_s: float) -> Iterator[Thread]:
    """Files that grow in their places, each half by half."""

    def write() -> None:
        for name, content in photos.items():
            (folder / name).write_bytes(content[: len(content) // 2])
            sleep(every_s)
            with (folder / name).open("ab") as file:
                file.write(content[len(content) // 2 :])

    writer = Thread(target=write)
    writer.start()
    try:
        yield writer
    finally:
        writer.join()


def survives(watched: Watched, folder: Path, count: int, kills: int, every_s: float) -> None:
    """Watch while photos arrive, killed so many times; at the end each is there, protected once."""
    photos = {f"{number:03d}.png": photo(number) for number in range(count)}
    out = folder.parent / "out"
    words = ["watch", str(folder), "--reference", "rose", "--out", str(out), "--server", watched.stack.url]
    command = [str(DIFFAM), *words, "--settle", "0.8"]
    seen: dict[str, tuple[int, int]] = {}

    def written() -> dict[str, tuple[int, int]]:
        return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in out.glob("*.png")}

    def has_more_than(before: int) -> bool:
        return len(written()) > before

    with arriving(folder, photos, every_s):
        for kill in range(kills):
            with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
                assert eventually(partial(has_more_than, len(written())), 120)
                sleep(random.Random(kill).uniform(0, 0.6))
                process.kill()
            now = written()
            assert {name: now[name] for name in seen} == seen
            seen = now
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        assert eventually(lambda: len(written()) == count, 300)
        process.terminate()
        assert process.wait(30) == 0
    now = written()
    assert {name: now[name] for name in seen} == seen
    for name, content in photos.items():
        original, protected = (Image.open(BytesIO(each)) for each in (content, (out / name).read_bytes()))
        assert protected.tobytes() == bytes(255 - value for value in original.tobytes())


def test_nothing_is_lost_or_made_twice_when_the_watcher_is_killed(watched: Watched, folder: Path) -> None:
    survives(watched, folder, count=6, kills=2, every_s=0.3)


@pytest.mark.chaos
def test_two_hundred_photos_arrive_while_the_watcher_is_killed_ten_times(watched: Watched, folder: Path) -> None:
    survives(watched, folder, count=200, kills=10, every_s=0.2)
