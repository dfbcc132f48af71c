"""A search finds whom the definitions say, and the threshold is that of ordinary photos."""

import numpy as np
import pytest

from diffam_core.score import rate
from protection.measuring.identification import Faces, State, best_others, hits, identify


def faces(people: int, spread: float, seed: int, first: int = 0, photos: int = 1) -> Faces:
    """Noisy photos of people, each of whom is the same in every seed."""
    owners = np.repeat(np.arange(first, first + people), photos)
    means = np.stack([np.random.default_rng(1_000 + owner).normal(size=24) for owner in owners])
    vectors = means + spread * np.random.default_rng(seed).normal(size=means.shape)
    return Faces(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), owners)


def test_ranks_and_open_set_are_those_of_a_search_by_hand() -> None:
    queries, gallery = faces(60, 1.2, 1), faces(60, 1.2, 2, photos=2)
    found = hits(queries, gallery, 0.5)
    ranks, firsts = [], []
    for query, owner in zip(queries.vectors, queries.owners, strict=True):
        best = {
            person: max(gallery.vectors[gallery.owners == person] @ query) for person in set(gallery.owners.tolist())
        }
        order = sorted(best, key=lambda person: -best[person])
        ranks.append(order.index(owner))
        firsts.append(order[0] == owner and best[owner] >= 0.5)
    assert found.rank_5 is not None
    assert 0 < found.tpir.value < found.rank_1.value < found.rank_5.value < 1
    assert found.rank_1 == rate(np.array(ranks) < 1)
    assert found.rank_5 == rate(np.array(ranks) < 5)
    assert found.tpir == rate(np.array(firsts))


def test_at_most_one_in_a_hundred_strangers_is_named_and_their_own_photos_do_not_count() -> None:
    """Strangers are enrolled, as in a search engine; a search that must find nobody leaves their person out."""
    enrolled = faces(300, 0.3, 3, first=60)
    gallery = faces(60, 0.6, 2).and_also(enrolled)
    strangers = faces(300, 0.3, 4, first=60)
    found = identify({"bare": faces(60, 0.6, 1)}, {"bare": gallery}, strangers)
    others = best_others(strangers, gallery)
    assert (found.persons, found.searches, found.non_mated) == (360, 60, 300)
    assert (others >= found.threshold).sum() == 3
    assert others.max() < (strangers.vectors * enrolled.vectors).sum(axis=1).min()


def test_without_strangers_the_threshold_lies_just_above_the_best_wrong_answer_to_a_bare_query() -> None:
    queries, gallery = faces(30, 0.6, 1), faces(30, 0.6, 2)
    found = identify({"bare": queries}, {"bare": gallery})
    cosines = queries.vectors @ gallery.vectors.T
    np.fill_diagonal(cosines, -1)
    assert found.non_mated == 30
    assert found.threshold == pytest.approx(cosines.max(), abs=1e-9)
    assert found.threshold > cosines.max()


def test_every_case_is_measured_at_the_threshold_of_bare_photos() -> None:
    """Photos that all look like one target reach each other: a threshold of their own would hide that."""
    bare = {"queries": faces(40, 0.5, 1), "gallery": faces(40, 0.5, 2)}
    aim = np.random.default_rng(9).normal(size=24)

    def protected(before: Faces) -> Faces:
        vectors = before.vectors + 3 * aim / np.linalg.norm(aim)
        return Faces(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), before.owners)

    queries: dict[State, Faces] = {"bare": bare["queries"], "protected": protected(bare["queries"])}
    galleries: dict[State, Faces] = {"bare": bare["gallery"], "protected": protected(bare["gallery"])}
    found = identify(queries, galleries)
    assert set(found.cases) == {(query, state) for query in queries for state in galleries}
    for (query, state), case in found.cases.items():
        assert case == hits(queries[query], galleries[state], found.threshold)
    assert found.threshold == identify({"bare": bare["queries"]}, {"bare": bare["gallery"]}).threshold
    assert found.cases["protected", "bare"].tpir.value < 0.1 < 0.9 < found.cases["bare", "bare"].tpir.value


def test_rank_5_is_told_only_where_every_search_has_more_than_five_people_to_choose_from() -> None:
    """A photo of the gallery finds neither itself nor who else is in it: of six people, photo 0 leaves four."""
    assert hits(faces(5, 0.5, 1), faces(5, 0.5, 2), 0.5).rank_5 is None
    assert hits(faces(6, 0.5, 1), faces(6, 0.5, 2), 0.5).rank_5 is not None
    bare = faces(6, 0.5, 2).and_also(faces(1, 0.5, 3))
    crowded = Faces(bare.vectors, bare.owners, np.array([0, 1, 2, 3, 0, 0, 4]))
    alone = Faces(bare.vectors, bare.owners, np.arange(7))
    one, other = (Faces(each.vectors[:1], each.owners[:1], np.zeros(1, np.int64)) for each in (crowded, alone))
    assert hits(one, crowded, 0.5).rank_5 is None
    assert hits(other, alone, 0.5).rank_5 is not None


def test_a_mated_search_without_its_person_and_a_gallery_of_one_are_refused() -> None:
    with pytest.raises(ValueError, match="enrolled"):
        hits(faces(3, 0.5, 1), faces(2, 0.5, 2), 0.5)
    with pytest.raises(ValueError, match="somebody else"):
        identify({"bare": faces(1, 0.5, 1)}, {"bare": faces(1, 0.5, 2)})
