"""`strength=auto` by recognisers that people run, where a bundle has none of its own: the held-out one decides."""

from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from typing import Any

import pytest

from diffam_client.contract.report import Judgement, ProtectedFace, StrengthSearch, protected
from diffam_client.contract.wish import Wish
from diffam_core.errors import DiffAMError
from model_store.bundle import Bundle, open_bundle
from model_store.recognisers import Judges
from protection.pipeline import protect_photos
from protection.plan import GRID, Request
from tests.thin_portrait import write_thin_portrait

pytestmark = pytest.mark.xdist_group("shipped")
HELD_OUT, ATTACKED = "dlib", ("faceplugin", "mobilefacenet")


@pytest.fixture(scope="module")
def refining(judges: Judges, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """With the three recognisers that are quickest; skips where one could not be had."""
    if missing := {HELD_OUT, *ATTACKED} - judges.recognisers.keys():
        pytest.skip(f"cannot be had here: {', '.join(sorted(missing))}")
    folder = write_thin_portrait(tmp_path_factory.mktemp("searched") / "thin_portrait")
    return open_bundle(folder, judges=judges.only((HELD_OUT, *ATTACKED)), yunet=judges.landmarks)


def search(bundle: Bundle, threshold: float, **wishes: Any) -> tuple[ProtectedFace, StrengthSearch]:
    """A face for which `auto` was asked, with a held-out recogniser that takes two faces for one person from there on.

    The photo shows Grace Hopper: public domain, as matplotlib ships her.
    """
    assert bundle.judges is not None
    judges = bundle.judges.recognisers
    held_out = replace(judges[HELD_OUT], thresholds=judges[HELD_OUT].thresholds | {"0.01": threshold})
    strict = replace(bundle, judges=replace(bundle.judges, recognisers=judges | {HELD_OUT: held_out}))
    photo = files("matplotlib").joinpath("mpl-data/sample_data/grace_hopper.jpg").read_bytes()
    wish = Wish(reference_id="rose", strength="auto", survival=("jpeg75",), **wishes)
    (result,) = protect_photos(strict, [Request(photo, wish)], lambda _: None)
    if isinstance(result, DiffAMError):
        raise result
    (face,) = protected(result.candidates[0].faces)
    assert face.strength_search is not None
    return face, face.strength_search


def judgement(face: ProtectedFace) -> Judgement:
    """What is told of the held-out recogniser after the treatment of the bar."""
    (told,) = [row for row in face.survival["jpeg75"].judges if row.name == HELD_OUT]
    return told


def tried(found: StrengthSearch) -> Sequence[float]:
    return [trial.strength for trial in found.tried]


def test_the_search_ends_with_the_least_strength_that_hides_the_owner_from_the_one_that_is_held_out(
    refining: Bundle,
) -> None:
    face, found = search(refining, threshold=1.0)
    assert (face.strength, found.passes, tried(found)) == (GRID[0], True, [GRID[0]])
    assert found.tried[0].own_match == {HELD_OUT: pytest.approx(judgement(face).own_match, abs=0.01)}


def test_where_no_strength_hides_the_owner_all_of_the_make_up_is_worn_and_the_report_says_so(refining: Bundle) -> None:
    face, found = search(refining, threshold=-1.0, effort="quick")
    assert (face.strength, found.passes, tried(found)) == (1.0, False, list(GRID))
    cosines = [trial.own_match[HELD_OUT] for trial in found.tried]
    assert len(set(cosines)) > 1
    assert cosines[-1] == pytest.approx(judgement(face).own_match, abs=0.01)
