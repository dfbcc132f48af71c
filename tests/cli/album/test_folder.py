"""An album is what its files are, not what they are called; nothing in it is ever written over."""

from pathlib import Path

import pytest

from cli.album.folder import find_photos, finished_names
from cli.errors import CliError
from tests.people import shot


@pytest.fixture
def album(tmp_path: Path) -> Path:
    folder = tmp_path / "album"
    (folder / "beach/evening").mkdir(parents=True)
    return folder


def test_photos_are_told_by_content_in_all_sub_folders(album: Path) -> None:
    (album / "beach/evening/me.txt").write_bytes(shot(0, 0))
    (album / "notes.jpg").write_text("no photo at all")
    (album / ".hidden.png").write_bytes(shot(0, 0))
    found = find_photos(album, album.parent / "out")
    assert found.photos == ["beach/evening/me.txt"]
    assert found.others == ["notes.jpg"]


def test_an_out_folder_within_the_album_is_no_part_of_it(album: Path) -> None:
    for name in ("me.png", "protected/me.png"):
        (album / name).parent.mkdir(exist_ok=True)
        (album / name).write_bytes(shot(0, 0))
    assert find_photos(album, album / "protected").photos == ["me.png"]


@pytest.mark.parametrize("out", [".", ".."])
def test_an_out_folder_that_holds_the_album_is_refused(album: Path, out: str) -> None:
    (album / "me.png").write_bytes(shot(0, 0))
    with pytest.raises(CliError, match="never written over"):
        find_photos(album, album / out)


def test_a_folder_without_photos_is_refused(album: Path) -> None:
    with pytest.raises(CliError, match="no photo in"):
        find_photos(album, album.parent / "out")


def test_finished_files_keep_their_sub_folder_and_share_no_name() -> None:
    photos = ["a/x.jpg", "a/x.PNG", "b/x.heic", "y.tar.gz"]
    assert finished_names(photos, ".png") == {
        "a/x.jpg": "a/x.jpg.png", "a/x.PNG": "a/x.PNG.png", "b/x.heic": "b/x.png", "y.tar.gz": "y.tar.png",
    }  # fmt: skip


def test_names_that_differ_in_case_alone_share_none_either() -> None:
    assert len({name.lower() for name in finished_names(["me.jpg", "ME.png"], ".webp").values()}) == 2
