"""An album is made photo by photo: each ends on its own, no more at once than asked for, and Ctrl-C stops them all."""

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Lock
from time import sleep

import pytest
from rich.progress import Progress as Bar

from app.photo.canonical import PhotoDamaged
from cli.album.folder import Album
from cli.album.journal import Entry, Journal, open_journal
from cli.album.work import Maker, fingerprint, make_all
from cli.errors import Stopped
from cli.make import Make, Picture
from diffam_client import NotOver
from diffam_client.contract.report import OnProgress, Progress
from diffam_client.contract.wish import Wish
from diffam_core.errors import NoFaceFound
from tests.finished import protected_face

NAMES = ("a.png", "b.png", "c.png", "d.png")
TOLD = Progress(stage="invert", step=0, steps=1)


def picture(upload: bytes, target: str | None, on_progress: OnProgress) -> list[Picture]:
    """Obeys `Make`: the upload itself, a moment later."""
    on_progress(TOLD)
    return [Picture(upload, "rose", target or "ada", 1.0, [protected_face()], {"name": "mini"}, {})]


@pytest.fixture
def album(tmp_path: Path) -> Album:
    """Four files that hold their own names."""
    for name in NAMES:
        (tmp_path / name).write_bytes(name.encode())
    return Album(tmp_path, tmp_path / "out", list(NAMES), [])


@pytest.fixture
def journal(album: Album) -> Iterator[Journal]:
    with open_journal(album.out) as opened:
        yield opened


@pytest.fixture
def make_them(album: Album, journal: Journal) -> Callable[[Maker], dict[str, Entry]]:
    """What is in the journal once all four are over."""

    def run(maker: Maker) -> dict[str, Entry]:
        todo = [Entry(name, "11", "w", "failed", out=name, target="ada") for name in NAMES]
        make_all(album, todo, journal, maker, Bar(disable=True))
        return journal.entries

    return run


Run = Callable[[Maker], dict[str, Entry]]


def failing(wrong: dict[bytes, Exception]) -> Make:
    """`picture`, but for some uploads."""

    def make(upload: bytes, target: str | None, on_progress: OnProgress) -> list[Picture]:
        if upload in wrong:
            raise wrong[upload]
        return picture(upload, target, on_progress)

    return make


def test_every_photo_becomes_a_file_and_an_entry_with_its_report(album: Album, make_them: Run) -> None:
    entries = make_them(Maker(picture, 2, Event()))
    assert sorted(entries) == list(NAMES)
    for name, entry in entries.items():
        assert (album.out / name).read_bytes() == name.encode()
        assert (entry.status, entry.target, entry.faces) == ("protected", "ada", [protected_face()])


def test_what_is_refused_is_noted_with_its_code_and_stops_no_other(album: Album, make_them: Run) -> None:
    wrong: dict[bytes, Exception] = {
        b"a.png": NoFaceFound("no face"),
        b"b.png": PhotoDamaged("cut off"),
        b"c.png": NotOver("the-id", 60),
    }
    entries = make_them(Maker(failing(wrong), 1, Event()))
    told = {name: (entry.status, entry.code) for name, entry in entries.items()}
    assert told == {
        "a.png": ("failed", "no_face_found"), "b.png": ("failed", "photo_damaged"), "c.png": ("failed", "not_over"),
        "d.png": ("protected", None),
    }  # fmt: skip
    assert entries["c.png"].message == "the job the-id was not over in 60 s"
    assert not (album.out / "a.png").exists()


@pytest.mark.parametrize("at_once", [1, 3])
def test_no_more_photos_are_under_way_than_asked_for(make_them: Run, at_once: int) -> None:
    lock, under_way, most = Lock(), 0, 0

    def slow(upload: bytes, target: str | None, on_progress: OnProgress) -> list[Picture]:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        sleep(0.05)
        with lock:
            under_way -= 1
        return picture(upload, target, on_progress)

    make_them(Maker(slow, at_once, Event()))
    assert most == at_once


def test_an_interruption_ends_what_runs_and_starts_nothing_more(make_them: Run) -> None:
    stop, stopped = Event(), Event()

    def make(upload: bytes, _target: str | None, on_progress: OnProgress) -> list[Picture]:
        if upload == b"a.png":
            raise KeyboardInterrupt
        assert stop.wait(60)
        with pytest.raises(Stopped):
            on_progress(TOLD)
        stopped.set()
        raise Stopped("between two steps")

    with pytest.raises(KeyboardInterrupt):
        make_them(Maker(make, 2, stop))
    assert stopped.wait(60)


class LaterWish(Wish):
    """What a later version can be asked besides."""

    warmth: float = 0.5


def test_a_wish_that_has_grown_asks_for_the_same_unless_the_new_field_is_used() -> None:
    asked = fingerprint(Wish(reference_id="rose", strength=0.5), "mini")
    assert fingerprint(LaterWish(reference_id="rose", strength=0.5), "mini") == asked
    others = [
        LaterWish(reference_id="rose", strength=0.5, warmth=1.0),
        Wish(reference_id="rose"),
        Wish(reference_id="ink"),
    ]
    assert len({asked, *(fingerprint(wish, "mini") for wish in others)}) == 4
