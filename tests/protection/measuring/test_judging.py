"""Recognisers that people run judge a real photo: they see the owner in it, and say what make-up did to that."""

from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
import torch

from diffam_client.contract.report import ProtectedFace
from diffam_client.contract.wish import Wish
from diffam_core.faces.face import FoundFace, shift_face
from diffam_core.images import Photo, decode_photo, encode_photo
from model_store.bundle import Bundle
from model_store.errors import JudgeMissing
from model_store.recognisers import Judges
from protection.measuring.judging import embed_sights, judge, sight_of
from protection.measuring.linkability import know_again, know_faces, thresholds
from protection.pipeline import ProtectedPhoto, protect_photos
from protection.plan import Request

pytestmark = pytest.mark.xdist_group("shipped")


@pytest.fixture(scope="module")
def photo() -> Photo:
    """Grace Hopper, public domain, as matplotlib ships her."""
    return decode_photo(files("matplotlib").joinpath("mpl-data/sample_data/grace_hopper.jpg").read_bytes())


@pytest.fixture(scope="module")
def face(bundle: Bundle, photo: Photo) -> FoundFace:
    return bundle.models.detector.largest(photo)


@pytest.fixture(scope="module")
def judged(bundle: Bundle, judges: Judges, photo: Photo) -> ProtectedFace:
    """A photo protected with `mini`, and measured by all of them."""
    wish = Wish(reference_id="rose", target_id="aurora", survival=("jpeg75",))
    (result,) = protect_photos(
        replace(bundle, judges=judges), [Request(encode_photo(photo, "png"), wish)], lambda *_: None
    )
    assert isinstance(result, ProtectedPhoto)
    (told,) = result.candidates[0].faces
    assert isinstance(told, ProtectedFace)
    return told


def test_a_face_is_itself_to_every_judge_wherever_it_lies_in_the_photo(
    judges: Judges, photo: Photo, face: FoundFace
) -> None:
    moved = np.roll(photo, (7, 11), (0, 1))
    sights = [sight_of(judges, photo, face), sight_of(judges, moved, shift_face(face, 11, 7))]
    assert all(sights)
    for name, rows in embed_sights(judges, [sight for sight in sights if sight]).items():
        assert rows.norm(dim=1).numpy() == pytest.approx([1, 1], abs=1e-4)
        assert float(rows[0] @ rows[1]) > 0.98, name


def test_where_there_is_no_face_judges_see_none(judges: Judges, photo: Photo, face: FoundFace) -> None:
    assert sight_of(judges, np.full_like(photo, 90), face) is None
    blank = torch.zeros(1, 3, 64, 64)
    assert judge(judges, np.full_like(photo, 90), face, [(photo, face)], blank) is None


def test_a_state_in_which_the_face_is_hidden_is_looked_at_where_it_was(
    judges: Judges, photo: Photo, face: FoundFace
) -> None:
    found = judge(judges, photo, face, [(photo, face), (np.full_like(photo, 90), face)], torch.zeros(1, 3, 64, 64))
    assert found is not None
    assert not found.knows_target
    same, hidden = found.matches
    assert all(match.own_after == pytest.approx(1, abs=1e-4) for match in same.values())
    assert all(match.is_dodged for match in hidden.values())


def test_a_report_says_of_each_judge_who_runs_it_and_whence_its_threshold(
    judges: Judges, judged: ProtectedFace
) -> None:
    assert [each.name for each in judged.judges] == list(judges.recognisers)
    for each in judged.judges:
        assert each.role == "held_out"
        assert each.stands_for == judges.cards[each.name].stands_for
        assert "LFW" in each.thresholds_from
        assert each.threshold == pytest.approx(judges.recognisers[each.name].thresholds["0.01"], abs=1e-4)
        assert each.dodged == (each.own_match < each.threshold)
        assert -1 <= each.own_match < 1
    assert [each.name for each in judged.survival["jpeg75"].judges] == list(judges.recognisers)


def test_the_verdict_rests_on_judges_and_is_as_plain_as_they_are(judged: ProtectedFace) -> None:
    """The miniature's make-up hides nobody from recognisers that people run, and the product says so."""
    still = [each.name for each in judged.judges if not each.dodged]
    assert still
    assert all(name in judged.verdict.sentence for name in still)
    assert "vit" not in judged.verdict.sentence
    assert judged.verdict.word != "strong"


def test_only_those_judge_who_are_wanted(judges: Judges) -> None:
    first = next(iter(judges.recognisers))
    chosen = judges.only([first])
    assert chosen is not None
    assert list(chosen.recognisers) == [first]
    assert judges.only(()) is None
    assert judges.only(None) is judges
    with pytest.raises(JudgeMissing, match="nobody"):
        judges.only(["nobody"])


def test_who_is_who_in_an_album_is_told_by_judges_where_they_see_the_face(
    bundle: Bundle, judges: Judges, photo: Photo
) -> None:
    judged = replace(bundle, judges=judges)
    (known,) = know_faces(judged, photo)
    assert thresholds(judged).keys() == known.embeddings.keys() == judges.recognisers.keys()
    unseen = replace(known, embeddings={}, points=None)
    again, nothing = know_again(judged, np.roll(photo, (7, 11), (0, 1)), [known, unseen])
    assert all(float(again[name] @ seen) > 0.98 for name, seen in known.embeddings.items())
    assert nothing == {}
