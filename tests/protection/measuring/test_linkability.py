"""People of an album: told apart, dealt different targets, and counted honestly when their photos still link."""

from collections import Counter
from collections.abc import Collection

import numpy as np
import pytest

from diffam_core.images import decode_photo
from model_store.bundle import Bundle
from protection.measuring.linkability import (
    Appearance,
    Embeddings,
    count_links,
    deal_targets,
    group_people,
    know_again,
    know_faces,
    search_album,
    thresholds,
)
from tests.people import shot

THRESHOLD = {"plain": 0.5, "deep": 0.4}
TARGETS = ["aurora", "bruno", "celia"]
ALL = frozenset(THRESHOLD)


def seen_as(*angles: float) -> Embeddings:
    """Unit vectors at an angle in degrees, one per recogniser."""
    turned = np.deg2rad(angles if len(angles) > 1 else angles * 2)
    return {
        name: np.array([np.cos(angle), np.sin(angle)], dtype=np.float32)
        for name, angle in zip(THRESHOLD, turned, strict=True)
    }


def wearing(
    photo: int, after: Embeddings, target: str | None = "aurora", held_out: Collection[str] = ("deep",)
) -> Appearance:
    """Person 0, whom every recogniser knows before."""
    return Appearance(photo, 0, seen_as(0), after, target, frozenset(held_out))


def test_rendered_people_are_told_apart_and_found_again(bundle: Bundle) -> None:
    photos = [decode_photo(shot(person, number)) for person, number in ((1, 0), (2, 0), (1, 1), (2, 1))]
    known = [know_faces(bundle, photo) for photo in photos]
    people = group_people([[face.embeddings for face in faces] for faces in known], thresholds(bundle))
    assert people == [[0], [1], [0], [1]]
    (again,) = know_again(bundle, photos[0], known[0])
    assert all(again[name] @ seen > 0.999 for name, seen in known[0][0].embeddings.items())


def test_one_recogniser_that_is_fooled_does_not_part_a_person() -> None:
    assert group_people([[seen_as(0, 0)], [seen_as(70, 10)]], THRESHOLD) == [[0], [0]]
    assert group_people([[seen_as(0, 0)], [seen_as(90, 60)]], THRESHOLD) == [[0], [1]]


def test_two_faces_of_one_photo_are_two_people_however_alike() -> None:
    assert group_people([[seen_as(0), seen_as(1)]], THRESHOLD) == [[0, 1]]


def test_a_face_that_no_recogniser_sees_is_a_person_by_itself() -> None:
    assert group_people([[{}, seen_as(0)], [{}], [seen_as(0)]], THRESHOLD) == [[0, 1], [2], [1]]


def test_photos_without_a_face_are_nobodys() -> None:
    assert group_people([[], [seen_as(0)], []], THRESHOLD) == [[], [0], []]
    assert group_people([[], [seen_as(0)], [seen_as(0)]], THRESHOLD) == [[], [0], [0]]


def test_no_target_of_a_person_repeats_before_all_are_worn() -> None:
    people = [[0], [1], [0], [1], [0], [0], [1], [0]]
    dealt = deal_targets(people, TARGETS, {})
    for person in (0, 1):
        worn = Counter(target for target, (who,) in zip(dealt, people, strict=True) if who == person)
        assert max(worn.values()) - min(worn[name] for name in TARGETS) <= 1


def test_what_photos_wear_already_stays_and_counts() -> None:
    dealt = deal_targets([[0], [0], [0]], TARGETS, {1: "aurora", 2: "celia"})
    assert dealt == ["bruno", "aurora", "celia"]


def test_of_several_people_the_largest_face_counts_most() -> None:
    dealt = deal_targets([[0], [1], [0, 1]], ["aurora", "bruno"], {0: "aurora", 1: "bruno"})
    assert dealt[2] == "bruno"  # person 0 wears aurora already; that person 1 repeats bruno is the lesser evil


def test_a_pair_counts_on_each_recogniser_and_on_those_that_neither_style_attacked() -> None:
    links = count_links([wearing(0, seen_as(0, 0)), wearing(1, seen_as(90, 10))], THRESHOLD)
    assert links["before"].by_recogniser == {"plain": 1.0, "deep": 1.0}
    after = links["after"]
    assert (after.pairs, after.judged) == (1, 1)
    assert after.by_recogniser == {"plain": 0.0, "deep": 1.0}
    assert (after.every_held_out, after.any_held_out) == (1.0, 1.0)  # plain was attacked, so deep alone judges


def test_a_pair_that_only_some_still_match_is_told_from_one_that_all_match() -> None:
    both = [wearing(0, seen_as(0, 0), None, ALL), wearing(1, seen_as(90, 10), None, ALL)]
    after = count_links(both, THRESHOLD)["after"]
    assert (after.every_held_out, after.any_held_out) == (0.0, 1.0)


def test_a_pair_whose_styles_attacked_every_recogniser_is_judged_by_none() -> None:
    pair = [wearing(0, seen_as(0), "aurora", ["deep"]), wearing(1, seen_as(0), "bruno", ["plain"])]
    after = count_links(pair, THRESHOLD)["after"]
    assert (after.pairs, after.judged, after.every_held_out, after.any_held_out) == (1, 0, None, None)


def test_photos_towards_one_target_are_counted_apart() -> None:
    worn = [wearing(0, seen_as(50)), wearing(1, seen_as(50)), wearing(2, seen_as(140), "bruno")]
    links = count_links(worn, THRESHOLD)
    assert (links["after"].pairs, links["same_target"].pairs, links["other_target"].pairs) == (3, 1, 2)
    assert (links["same_target"].every_held_out, links["other_target"].every_held_out) == (1.0, 0.0)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_without_a_person_in_two_photos_there_is_nothing_to_link(count: int) -> None:
    after = count_links([wearing(0, seen_as(0)) for _ in range(count)], THRESHOLD)["after"]
    assert (after.pairs, after.every_held_out, after.any_held_out) == (0, None, None)


def appearance(photo: int, person: int, before: float, after: float, target: str | None = "aurora") -> Appearance:
    """Where a face is, and at which angle it is seen before and after."""
    held_out = frozenset({"deep"}) if target else ALL
    return Appearance(photo, person, seen_as(before), seen_as(after), target, held_out)


def test_a_search_is_for_the_person_of_a_photo_in_the_other_photos_alone() -> None:
    """Person 0 is in photos 0 and 1, which part after; 1 in 2 and 3, which stay; 2 stands by in photo 1."""
    found = search_album(
        [
            appearance(0, 0, 0, 0), appearance(1, 0, 4, 97), appearance(1, 2, 40, 40, None),
            appearance(2, 1, 90, 90), appearance(3, 1, 95, 95),
        ],
        list(THRESHOLD),
    )  # fmt: skip
    assert found is not None
    assert (found.people, found.searches, found.non_mated, found.never_attacked) == (3, 4, 5, ["deep"])
    firsts = {(row.query, row.gallery): row.rank_1.value for row in found.by_recogniser["deep"]}
    assert firsts == {
        ("bare", "bare"): 1.0,
        ("protected", "bare"): 0.75,  # photo 1 finds person 1 first
        ("bare", "protected"): 0.5,  # photo 0 finds person 2, and photo 3 person 0
        ("protected", "protected"): 0.25,  # photo 2 alone finds its person
    }
    assert all(row.rank_5 is None for row in found.by_recogniser["deep"])


def test_a_search_is_told_with_how_many_people_could_be_taken_for_the_right_one() -> None:
    alone = [appearance(0, 0, 0, 0), appearance(1, 0, 1, 1)]
    assert search_album(alone, list(THRESHOLD)) is None
    one = search_album([*alone, appearance(1, 1, 50, 50)], list(THRESHOLD))
    assert one is not None
    assert one.searches == 1  # beside photo 1 there is nobody else
    many = [appearance(number, number, 60 + number, 60 + number) for number in range(2, 7)]
    found = search_album([*alone, *many], list(THRESHOLD))
    assert found is not None
    assert (found.people, found.searches, found.non_mated) == (6, 2, 7)
    assert all(row.rank_5 is not None for row in found.by_recogniser["deep"])
    assert search_album(many, list(THRESHOLD)) is None


def test_rank_5_is_not_told_where_a_photo_shows_so_many_people_that_five_or_fewer_are_left() -> None:
    """Six people, two of whom are in the query's own photo alone: the search has four to choose from."""
    album = [appearance(photo, 0, photo, photo) for photo in (0, 1)]
    album += [appearance(0, person, 60 + person, 60 + person, None) for person in (1, 2)]
    album += [appearance(1, person, 60 + person, 60 + person, None) for person in (3, 4, 5)]
    found = search_album(album, list(THRESHOLD))
    assert found is not None
    assert (found.people, found.searches) == (6, 2)
    assert all(row.rank_5 is None for row in found.by_recogniser["deep"])
