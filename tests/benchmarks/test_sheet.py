"""Pairs by the pipeline that serves users, and the sheet of them: whom it shows, and in what."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from benchmarks import sheet
from benchmarks.pairs import EYE_DISTANCES, Pair, head_of, open_served, pairs_of, unseen_photos, wished
from diffam_core.faces.face import FoundFace
from diffam_core.faces.framing import Framing
from jobs.settings import Settings
from model_store.bundle import Bundle
from model_store.judges import FOLDER
from model_store.recognisers import Judges
from tests.thin_portrait import REFINEMENT, write_thin_portrait

FRAMING = Framing((0.5, 0.46), 0.28)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Grace Hopper, public domain, as matplotlib ships her, in place of people whom training sees or does not."""
    photo = files("matplotlib").joinpath("mpl-data/sample_data/grace_hopper.jpg").read_bytes()
    (tmp_path / "ai").mkdir()
    for name in ("female_63", "female_64", "male_65"):
        (tmp_path / "ai" / f"{name}.jpg").write_bytes(photo)
    return tmp_path


@pytest.fixture(scope="module")
def served(judges: Judges, judges_shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The portrait bundle of a shelf; skips where too few recognisers can be had."""
    if len(judges.recognisers) < REFINEMENT["least"]:
        pytest.skip(f"only {len(judges.recognisers)} recognisers can be had here")
    shelf = tmp_path_factory.mktemp("served")
    write_thin_portrait(shelf / "portrait")
    (shelf / FOLDER).symlink_to(judges_shelf / FOLDER, target_is_directory=True)
    return open_served(Settings(_env_file=None, bundles_dir=shelf))


def test_only_those_whom_training_never_saw_are_shown(people: Path) -> None:
    assert [path.stem for path in unseen_photos(people / "ai")] == ["female_64", "male_65"]


def test_of_other_people_everybody_is_shown_once(people: Path) -> None:
    (people / "ai").rename(people / "friends")
    assert [path.stem for path in unseen_photos(people / "friends")] == ["female_63", "male_65"]


def test_a_sheet_of_a_folder_without_people_that_no_camera_saw_is_refused(people: Path) -> None:
    with pytest.raises(SystemExit, match=r"people that no camera saw.*no folder"):
        sheet.main([str(people / "ai"), "--out", str(people / "sheet.jpg")])
    assert not (people / "sheet.jpg").exists()


@pytest.mark.xdist_group("shipped")
def test_looks_take_turns_and_the_change_stays_near_the_face(served: Bundle, people: Path) -> None:
    wishes = [wished("rose", "quick"), wished("ember", "quick")]
    pairs = list(pairs_of(served, unseen_photos(people / "ai"), wishes, 5, 0))
    assert [pair.reference for pair in pairs] == ["rose", "ember"]
    for pair in pairs:
        changed = np.abs(pair.original.astype(int) - pair.finished).max(2) > 0
        x, y, width, height = pair.face.box
        assert changed[y : y + height, x : x + width].mean() > 0.1
        assert not changed[:, : x - width].any()
        assert not changed[y + 3 * height :].any()


def test_a_head_at_the_edge_is_moved_into_the_photo_and_nothing_is_stretched() -> None:
    photo = np.zeros((200, 300, 3), np.uint8)
    photo[:, :, 0] = np.arange(300) // 2
    face = FoundFace((0, 0, 60, 60), (10, 20), (40, 20), FRAMING)
    head = head_of(photo, face, 90)
    assert head.shape == (90, 90, 3)
    shown_px = EYE_DISTANCES * face.eye_distance_px
    assert np.abs(head[0, :, 0] - np.arange(90) * shown_px / 90 / 2).max() <= 1


def test_a_sheet_has_both_heads_of_every_pair_and_says_whence_they_are() -> None:
    face = FoundFace((150, 80, 100, 120), (180, 120), (220, 120), FRAMING)
    before, after = (np.full((300, 500, 3), grey, np.uint8) for grey in (200, 50))
    drawn = np.asarray(sheet.draw_sheet([Pair(before, after, face, "rose")] * 4))
    for grey in (200, 50):
        assert (drawn == grey).all(2).sum() == pytest.approx(4 * sheet.PANEL_PX**2, rel=0.01)
    assert (drawn[-sheet.LINE_PX :] < 100).any()
