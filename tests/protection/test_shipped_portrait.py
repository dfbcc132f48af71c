"""What the shipped portrait bundle promises, on a real photo and the recognisers that people run."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from diffam_client.contract.report import ProtectedFace
from diffam_client.contract.wish import Effort, Wish
from diffam_core.images import Photo, decode_photo
from model_store.bundle import Bundle
from model_store.catalog import BUNDLES, damaged_files
from model_store.choice import PORTRAIT, choose_bundle
from model_store.opening import open_chosen
from model_store.recognisers import Judges
from protection.pipeline import ProtectedPhoto, protect_photos
from protection.plan import Request

pytestmark = pytest.mark.xdist_group("shipped")
ALL = ("sface", "dlib", "mobilefacenet", "faceplugin", "faceres")
PHOTO = files("matplotlib").joinpath("mpl-data/sample_data/grace_hopper.jpg").read_bytes()
"""Grace Hopper, public domain."""


@pytest.fixture(scope="module")
def portrait(judges: Judges, judges_shelf: Path) -> Bundle:
    """The shipped bundle with all recognisers; skips where one could not be had."""
    if missing := set(ALL) - judges.recognisers.keys():
        pytest.skip(f"cannot be had here: {', '.join(sorted(missing))}")
    return open_chosen(choose_bundle(PORTRAIT, judges_shelf))


def protected(bundle: Bundle, effort: Effort) -> ProtectedPhoto:
    """The photo in the first look."""
    wish = Wish(reference_id=bundle.catalog.references[0].id, effort=effort, faces="largest", output_format="png")
    (result,) = protect_photos(bundle, [Request(PHOTO, wish)], lambda *_: None)
    assert isinstance(result, ProtectedPhoto), result
    return result


def psnr_db(photo: Photo) -> float:
    """Of the whole photo against the original."""
    return float(10 * np.log10(255**2 / np.square(decode_photo(PHOTO).astype(np.float32) - photo).mean()))


def likeness(result: ProtectedPhoto) -> dict[str, float]:
    """Each judge's cosine between the photo and the finished one."""
    (face,) = result.candidates[0].faces
    assert isinstance(face, ProtectedFace), face
    return {judge.name: judge.own_match for judge in face.judges}


def test_every_file_is_the_one_that_was_made() -> None:
    assert damaged_files(BUNDLES / PORTRAIT) == []


def test_a_thorough_result_moves_every_recogniser_away_from_the_owner_and_stays_above_the_bar(
    portrait: Bundle,
) -> None:
    quick, thorough = protected(portrait, "quick"), protected(portrait, "thorough")
    before, after = likeness(quick), likeness(thorough)
    assert before.keys() == set(ALL)
    assert all(before[name] > 0.9 for name in before)
    assert all(after[name] < before[name] - (0.03 if name == "dlib" else 0.2) for name in before)  # dlib's are squeezed
    photo = decode_photo(thorough.candidates[0].photo)
    assert psnr_db(photo) >= 36.5
    assert psnr_db(decode_photo(quick.candidates[0].photo)) > 40
    changed = np.argwhere((photo != decode_photo(PHOTO)).any(axis=2))
    (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
    assert (bottom - top) * (right - left) < 0.25 * photo.shape[0] * photo.shape[1]
