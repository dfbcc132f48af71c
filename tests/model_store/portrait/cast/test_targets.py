"""The targets of the portrait bundle, as recognisers that people run see them."""

from itertools import combinations
from pathlib import Path

import pytest
import torch

from model_store.portrait.cast.targets import STRONG, TARGETS, are_apart, margins, pairs_of_one, save_targets
from model_store.portrait.portraits import Portraits, cut_portraits, is_held_out, read_portraits
from tests.shipped import DETECTOR, Shipped, open_shipped

pytestmark = pytest.mark.xdist_group("shipped")
NAMES = tuple(name for target in TARGETS.values() for name in target.pictures)


@pytest.fixture(scope="module")
def cast(assets: Path, shipped: Shipped, tmp_path_factory: pytest.TempPathFactory) -> Portraits:
    """The pictures of all targets alone."""
    folder = tmp_path_factory.mktemp("cast")
    for part in ("ai", "sfhq_t2i"):
        (folder / part).mkdir()
    for name in NAMES:
        (folder / f"{name}.jpg").symlink_to(assets / "people" / f"{name}.jpg")
    (folder / "sfhq_t2i/another.jpg").symlink_to(assets / "people" / f"{NAMES[0]}.jpg")
    path = folder / "portraits.safetensors"
    cut_portraits(folder, shipped.file(DETECTOR), path, lambda *_: None)
    return read_portraits(path)


def test_both_pictures_of_a_target_are_one_person_to_every_strong_recogniser_and_nobody_else(
    cast: Portraits, shipped: Shipped, tmp_path: Path
) -> None:
    judges = open_shipped(shipped, tmp_path)
    if missing := [name for name in STRONG if name not in judges.recognisers]:
        pytest.skip(f"{', '.join(missing)} cannot be had here")
    above = margins(cast, [cast.names.index(name) for name in NAMES], judges)
    pairs = pairs_of_one(NAMES, above)
    assert sorted(pairs) == sorted(target.pictures for target in TARGETS.values())
    assert all(are_apart(one, other, NAMES, above) for one, other in combinations(pairs, 2))


def test_targets_are_written_two_pictures_each_and_nobody_of_them_is_held_out(cast: Portraits, tmp_path: Path) -> None:
    save_targets(cast, tmp_path)
    assert len(list((tmp_path / "targets").iterdir())) == 2 * len(TARGETS) == len(set(NAMES))
    assert not [name for name in NAMES if is_held_out(name)]


def test_a_pair_that_one_recogniser_tells_apart_is_no_person_and_one_that_it_confuses_is_not_apart() -> None:
    above = torch.full((2, 4, 4), -0.1)
    above[:, 0, 1] = above[:, 1, 0] = 0.2
    above[0, 2, 3] = above[0, 3, 2] = 0.3
    names = ("a", "b", "c", "d")
    assert pairs_of_one(names, above) == [("a", "b")]
    assert are_apart(("a", "b"), ("c", "d"), names, above)
    assert not are_apart(("a", "c"), ("b", "d"), names, above)
