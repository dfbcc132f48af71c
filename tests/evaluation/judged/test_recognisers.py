"""Accept rates, thresholds and intervals are those of the pairs; who is in the background is nobody's face."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from diffam_core.faces.face import FoundFace
from diffam_core.faces.framing import Framing
from diffam_core.score import rate, threshold_at
from evaluation.judged.recognisers import Seen, accuracy, equal_error, middle_face
from model_store.datasets.people import Person

Numbers = NDArray[np.float64]


def drawn(people: int = 40, spread: float = 0.9, seed: int = 0) -> tuple[Numbers, Seen]:
    """Cosines of two noisy photos of each of some people."""
    generator = np.random.default_rng(seed)
    vectors = np.repeat(generator.normal(size=(people, 24)), 2, axis=0) + spread * generator.normal(
        size=(2 * people, 24)
    )
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names = [Person(f"p{index:02}", ()) for index in range(people)]
    return vectors @ vectors.T, Seen(names, np.repeat(np.arange(people), 2), {"net": vectors}, [])


@pytest.mark.parametrize("far", [0.1, 0.01, 0.001])
def test_at_the_threshold_at_most_that_share_of_impostors_passes_and_just_below_more(far: float) -> None:
    impostors = np.sort(np.random.default_rng(1).normal(size=5_000))
    threshold = threshold_at(impostors, far)
    assert (impostors >= threshold).mean() <= far
    assert (impostors >= np.nextafter(threshold, -2)).mean() > far - 1 / len(impostors)


def test_at_the_equal_error_rate_as_many_are_refused_as_accepted() -> None:
    generator = np.random.default_rng(2)
    genuine, impostors = np.sort(generator.normal(1, 1, 4_000)), np.sort(generator.normal(-1, 1, 4_000))
    assert equal_error(genuine, impostors) == pytest.approx(0.1587, abs=0.015)  # of two normals two deviations apart
    assert equal_error(genuine + 20, impostors) == 0


def test_accuracy_counts_every_pair_once_and_its_shares_are_those_of_the_pairs() -> None:
    cosines, seen = drawn()
    found = accuracy(cosines, seen, {}, shipped=0.5, seed=0)
    one, other = np.triu_indices(80, 1)
    is_same = seen.owners[one] == seen.owners[other]
    genuine, impostors = cosines[one, other][is_same], cosines[one, other][~is_same]
    assert (found.genuine, found.impostors) == (len(genuine), len(impostors)) == (40, 79 * 40 - 40)
    for far, point in found.points.items():
        assert point.accepted.value == (genuine >= point.threshold.value).mean()
        assert (impostors >= point.threshold.value).mean() <= float(far)
        assert point.threshold.ci95[0] <= point.threshold.value <= point.threshold.ci95[1]
    assert [share.value for share in found.shipped] == [(genuine >= 0.5).mean(), (impostors >= 0.5).mean()]


def test_a_person_who_is_drawn_twice_is_no_genuine_pair_with_itself() -> None:
    """Else intervals of the equal error rate would lie below it: a photo always matches itself."""
    cosines, seen = drawn(spread=3.0)
    found = accuracy(cosines, seen, {}, 0.5, 0)
    assert found.eer.ci95[0] - 0.1 < found.eer.value < found.eer.ci95[1] + 0.05
    assert found.eer.ci95[1] > found.eer.value


def test_groups_are_those_of_the_list_and_ages_come_in_bands() -> None:
    cosines, seen = drawn()
    traits = {f"p{index:02}": {"age": str(20 + index), "sex": "f" if index % 2 else "m"} for index in range(39)}
    groups = accuracy(cosines, seen, traits, 0.5, 0).groups
    assert {value: group.genuine for value, group in groups["age"].items()} == {
        "under 25": 5, "25 to 34": 10, "35 to 49": 15, "50 and older": 9, "unknown": 1,
    }  # fmt: skip
    assert groups["sex"]["f"].genuine + groups["sex"]["m"].genuine == 39


def kin(likeness: float, alike: int = 20) -> tuple[Numbers, Seen, dict[str, dict[str, str]]]:
    """40 people, of whom the first few look alike."""
    generator = np.random.default_rng(3)
    common = np.where(np.arange(40) < alike, likeness, 0)[:, None] * generator.normal(size=24)
    vectors = np.repeat(generator.normal(size=(40, 24)) + common, 2, axis=0) + 0.4 * generator.normal(size=(80, 24))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    traits = {f"p{index:02}": {"kin": "yes" if index < alike else "no"} for index in range(40)}
    return vectors @ vectors.T, drawn()[1], traits


def test_strangers_of_a_group_are_its_own_pairs_at_the_threshold_of_all() -> None:
    cosines, seen, traits = kin(0.8)
    found = accuracy(cosines, seen, traits, 0.5, 0)
    one, other = np.triu_indices(80, 1)
    strangers = (seen.owners[one] != seen.owners[other]) & (seen.owners[one] < 20) & (seen.owners[other] < 20)
    passes = cosines[one, other][strangers] >= found.points["0.01"].threshold.value
    group, others = found.groups["kin"]["yes"], found.groups["kin"]["no"]
    assert (group.people, group.impostors, group.fooled) == (20, 20 * 19 // 2 * 4, passes.mean())
    assert others.fooled is not None
    assert group.fooled is not None
    assert others.fooled < 0.01 < group.fooled


def test_draws_of_people_are_less_sure_than_pairs_would_be_if_they_were_independent() -> None:
    cosines, seen, traits = kin(0.8)
    group = accuracy(cosines, seen, traits, 0.5, 0).groups["kin"]["yes"]
    assert group.fooled is not None
    assert group.fooled_ci95 is not None
    low, high = group.fooled_ci95
    least, most = rate(np.arange(group.impostors) < group.fooled * group.impostors).ci95
    assert low < least < group.fooled < most < high


def test_a_group_says_no_more_than_it_can() -> None:
    """One person has no strangers; draws of a few people, or of none who passes, would be too sure."""
    cosines, seen, traits = kin(3.0)
    far_apart = accuracy(cosines, seen, traits, 0.5, 0).groups["kin"]["no"]
    assert (far_apart.impostors, far_apart.fooled, far_apart.fooled_ci95) == (760, 0, None)
    traits |= {"p00": {"kin": "one"}, **{f"p{index:02}": {"kin": "few"} for index in (1, 2, 3, 4)}}
    groups = accuracy(cosines, seen, traits, 0.5, 0).groups["kin"]
    assert (groups["one"].impostors, groups["one"].fooled, groups["one"].fooled_ci95) == (0, None, None)
    assert (groups["few"].people, groups["few"].impostors, groups["few"].fooled_ci95) == (4, 24, None)


def test_a_draw_of_one_person_alone_is_no_group_of_strangers() -> None:
    """Of five people, one draw in 625 is the same one five times: without a pair it has no share to tell."""
    cosines, seen, traits = kin(1.5, alike=5)
    for seed in range(10):
        group = accuracy(cosines, seen, traits, 0.5, seed).groups["kin"]["yes"]
        assert group.people == 5
        assert group.fooled
        assert group.fooled_ci95 is not None
        low, high = group.fooled_ci95
        assert 0 <= low <= group.fooled <= high <= 1


def test_nobody_with_two_photos_is_no_verification() -> None:
    cosines, seen = drawn()
    lonely = replace(seen, owners=np.arange(80), people=seen.people * 2)
    with pytest.raises(ValueError, match="two photos"):
        accuracy(cosines, lonely, {}, 0.5, 0)


def test_the_face_of_a_portrait_is_the_one_in_its_middle_not_a_larger_one_at_its_edge() -> None:
    photo = np.zeros((250, 250, 3), np.uint8)
    framing = Framing((0.5, 0.46), 0.28)

    def face(x: int, y: int, width: int) -> FoundFace:
        eyes = [(x + share * width, y + 0.4 * width) for share in (0.3, 0.7)]
        return FoundFace((x, y, width, width), eyes[0], eyes[1], framing)

    own, larger, small = face(75, 75, 100), face(0, 140, 110), face(120, 100, 20)
    assert middle_face([larger, own, small], photo) == own
    assert middle_face([], photo) is None
