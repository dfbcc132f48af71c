"""The sentence under an album says what the figures say, and no more."""

import numpy as np
import pytest

from cli.album.journal import Entry
from cli.album.report import search_sentences, sentence, told_apart, unseen_sentences, verdicts, worn
from cli.album.sight import Sight
from diffam_client.contract.report import FaceReport, Verdict
from diffam_core.faces.face import FoundFace
from diffam_core.faces.framing import Framing
from diffam_core.score import Share
from protection.measuring.identification import STATES
from protection.measuring.linkability import Found, KnownFace, Links, Searches
from tests.finished import match, protected_face, seen_face

NONE = Links(0, {"vit": None}, 0, None, None)


def links(after: Links, same_target: Links = NONE) -> dict[str, Links]:
    before = Links(after.pairs, {"vit": 1.0}, after.judged, 1.0, 1.0)
    return {"before": before, "after": after, "same_target": same_target, "other_target": NONE}


def test_what_still_links_is_told_beside_what_linked_before() -> None:
    told = sentence(links(Links(4, {"vit": 0.5}, 4, 0.25, 0.5)))
    assert told.startswith("4 pairs of photos show the same person.")
    assert "at least one matched 100 % before and still matches 50 % now" in told
    assert "all of them matched 100 % and now match 25 %" in told
    assert "share a target" not in told


def test_pairs_that_share_a_target_are_told_apart() -> None:
    told = sentence(links(Links(4, {"vit": 0.5}, 4, 0.25, 0.5), Links(1, {"vit": 1.0}, 1, 1.0, 1.0)))
    assert "1 of the pairs share a target: of those, at least one recogniser still matches 100 %." in told


def test_without_pairs_or_without_judges_no_share_is_claimed() -> None:
    assert "%" not in sentence(links(NONE))
    assert "%" not in sentence(links(Links(1, {"vit": 0.0}, 0, None, None)))


def found(*rank_1: float) -> list[Found]:
    """Of a recogniser, in the order of the cases."""
    shares = [Share(value, (0.0, 1.0)) for value in rank_1]
    cases = [(query, gallery) for gallery in STATES for query in STATES]
    return [Found(*case, share, None, share) for case, share in zip(cases, shares, strict=True)]


def test_a_search_is_told_with_its_numbers_by_recognisers_that_no_make_up_attacked() -> None:
    by = {"vit": found(1, 0.5, 0.75, 0.25), "resnet": found(0, 0, 0, 0), "dlib": found(1, 0.25, 0.5, 0.25)}
    (told,) = search_sentences(Searches(3, 4, 5, ["vit", "dlib"], by))
    assert (
        "4 searches with one photo each among the other photos, 3 people, put the right person first in 100 %" in told
    )
    assert "25 to 50 % with a protected photo among bare ones" in told
    assert "50 to 75 % with a bare one among protected ones" in told
    assert "and 25 % when all are protected" in told


def test_no_search_is_told_where_none_can_be_judged_and_faces_that_nobody_saw_are() -> None:
    assert search_sentences(None) == search_sentences(Searches(3, 4, 5, [], {"vit": found(1, 1, 1, 1)})) == []
    assert unseen_sentences(0) == []
    assert unseen_sentences(2)[0].endswith("see no face there: 2.")


EVERYBODY = frozenset({"resnet", "vit"})
KNOWN = KnownFace(FoundFace((100, 100, 60, 60), (120.0, 120.0), (140.0, 120.0), Framing((0.5, 0.46), 0.28)), {})
MATCHES = [match(), match(name="vit", role="held_out")]


@pytest.mark.parametrize(
    ("face", "target", "judges"),
    [
        (protected_face(index=1, box=(95, 90, 80, 80), recognisers=MATCHES), "ada", frozenset({"vit"})),
        (seen_face(index=1, box=(95, 90, 80, 80), status="left_alone", code="face_too_small"), None, EVERYBODY),
        (protected_face(index=1, box=(300, 90, 80, 80), recognisers=MATCHES), None, EVERYBODY),
    ],
)
@pytest.mark.parametrize("are_judges", [False, True])
def test_a_face_is_told_by_its_place_whatever_number_a_service_gave_it(
    face: FaceReport, target: str | None, judges: frozenset[str], are_judges: bool
) -> None:
    elsewhere = protected_face(index=0, box=(0, 0, 50, 50), target="bea")
    assert worn(KNOWN, [elsewhere, face], EVERYBODY, are_judges) == (target, judges)


@pytest.mark.parametrize(("are_judges", "judges"), [(False, frozenset({"vit"})), (True, frozenset({"vit", "clip"}))])
def test_of_a_bundle_s_own_recognisers_those_are_held_out_of_which_the_report_says_so(
    are_judges: bool, judges: frozenset[str]
) -> None:
    """A service may run another bundle, which says nothing of "clip"; no style is trained against libraries' ones."""
    face = protected_face(box=(95, 90, 80, 80), recognisers=MATCHES)
    assert worn(KNOWN, [face], EVERYBODY | {"clip"}, are_judges) == ("ada", judges)


def test_people_are_those_whom_recognisers_see() -> None:
    seen = KnownFace(KNOWN.found, {"vit": np.ones(1, np.float32)})
    sights = [Sight("1", [seen, KNOWN], None), Sight("2", [seen], None), Sight("3", [KNOWN], None)]
    assert told_apart(sights, [[0, 1], [0], [2]]) == 1


def test_verdicts_are_counted_over_all_faces_that_were_made_up() -> None:
    strong = protected_face(verdict=Verdict(word="strong", sentence="Nobody."))
    entries = [
        Entry("a.png", "1", "w", "protected", faces=[strong, seen_face(index=1, status="left_alone")]),
        Entry("b.png", "2", "w", "protected", faces=[protected_face(), strong]),
        Entry("c.png", "3", "w", "failed", code="no_face_found"),
    ]
    assert verdicts(entries) == {"strong": 2, "partial": 0, "weak": 1}
