"""A thorough result: faces are refined on recognisers that people run, and the report says which of them were asked."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from diffam_client.contract.report import Progress, ProtectedFace
from diffam_client.contract.wish import Wish
from diffam_core.images import Photo, decode_photo
from model_store.bundle import Bundle
from model_store.choice import Choice
from model_store.errors import RecognisersMissing
from model_store.judges import FOLDER
from model_store.opening import open_chosen
from model_store.recognisers import Judges
from protection.pipeline import Candidate, ProtectedPhoto, protect_photos
from protection.plan import Request
from tests.thin_portrait import write_thin_portrait

pytestmark = pytest.mark.xdist_group("shipped")


@pytest.fixture(scope="module")
def refining(judges: Judges, judges_shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = write_thin_portrait(tmp_path_factory.mktemp("refining") / "thin_portrait")
    return open_chosen(Choice(folder, judges_shelf / FOLDER, tuple(judges.recognisers)), judges=())


@pytest.fixture(scope="module")
def photo() -> bytes:
    """Grace Hopper, public domain, as matplotlib ships her."""
    return files("matplotlib").joinpath("mpl-data/sample_data/grace_hopper.jpg").read_bytes()


def protect(bundle: Bundle, photo: bytes, **wish: object) -> tuple[Candidate, ProtectedFace]:
    asked = Wish.model_validate({"reference_id": "rose", **wish})
    (result,) = protect_photos(bundle, [Request(photo, asked)], lambda *_: None)
    assert isinstance(result, ProtectedPhoto)
    assert ("refine" in result.seconds) == (asked.effort != "quick")
    (face,) = result.candidates[0].faces
    assert isinstance(face, ProtectedFace)
    return result.candidates[0], face


@pytest.fixture(scope="module")
def quick(refining: Bundle, photo: bytes) -> tuple[Candidate, ProtectedFace]:
    return protect(refining, photo, effort="quick")


@pytest.fixture(scope="module")
def thorough(refining: Bundle, photo: bytes) -> tuple[Candidate, ProtectedFace]:
    return protect(refining, photo)


def pixels(candidate: Candidate) -> Photo:
    return decode_photo(candidate.photo)


def test_a_refinement_tells_of_every_step_and_can_be_ended_there(refining: Bundle, photo: bytes) -> None:
    told: list[Progress] = []

    def stop(progress: Progress) -> None:
        told.append(progress)
        if (progress.stage, progress.step) == ("refine", 2):
            raise InterruptedError

    with pytest.raises(InterruptedError):
        protect_photos(refining, [Request(photo, Wish(reference_id="rose"))], stop)
    assert [(each.step, each.steps) for each in told if each.stage == "refine"][-2:] == [(1, 28), (2, 28)]


def test_surrogates_know_the_owner_less_than_after_the_make_up_alone(
    quick: tuple[Candidate, ProtectedFace], thorough: tuple[Candidate, ProtectedFace]
) -> None:
    for before, after in zip(quick[1].judges, thorough[1].judges, strict=True):
        assert before.name == after.name
        if after.role == "surrogate":
            assert after.own_match < before.own_match - 0.1, after.name
    assert not np.array_equal(pixels(quick[0]), pixels(thorough[0]))


def test_one_recogniser_is_held_out_and_the_verdict_rests_on_it(thorough: tuple[Candidate, ProtectedFace]) -> None:
    candidate, face = thorough
    assert candidate.target is face.target is None
    assert face.recognisers == []
    held_out = [row for row in face.judges if row.role == "held_out"]
    assert [row.name for row in held_out] == ["dlib"]
    assert "dlib" in face.verdict.sentence
    assert all(row.target_match is None for row in face.judges)


def test_nothing_outside_the_face_moves_and_the_same_wish_gives_the_same_file(
    refining: Bundle, photo: bytes, thorough: tuple[Candidate, ProtectedFace]
) -> None:
    original, finished = decode_photo(photo), pixels(thorough[0])
    x, y, width, height = thorough[1].box
    moved = np.argwhere((original != finished).any(axis=2))
    assert len(moved) > 1000
    assert moved.min(axis=0)[0] > y - height
    assert moved.max(axis=0)[0] < y + 2 * height
    assert moved.min(axis=0)[1] > x - width
    assert moved.max(axis=0)[1] < x + 2 * width
    assert protect(refining, photo)[0].photo == thorough[0].photo


def test_without_strength_nothing_changes(refining: Bundle, photo: bytes) -> None:
    candidate, _ = protect(refining, photo, strength=0)
    assert np.array_equal(pixels(candidate), decode_photo(photo))


def test_it_does_not_open_without_recognisers(refining: Bundle, tmp_path: Path) -> None:
    with pytest.raises(RecognisersMissing, match="diffam models pull recognisers"):
        open_chosen(Choice(refining.catalog.folder, tmp_path, ()))


def test_half_the_strength_is_at_most_half_the_change(
    refining: Bundle, photo: bytes, thorough: tuple[Candidate, ProtectedFace]
) -> None:
    original = decode_photo(photo)
    faint, _ = protect(refining, photo, strength=0.5)
    whole, half = (np.square(pixels(each) - original.astype(float)).mean() ** 0.5 for each in (thorough[0], faint))
    assert 0.25 * whole < half < 0.55 * whole
