"""People of published datasets in an evaluation: who is picked, and what their protected photo is compared with."""

from pathlib import Path

import numpy as np
import pytest
import torch

from evaluation.datasets import DATASETS
from evaluation.subjects import Subjects, gather_subjects
from model_store.bundle import Bundle
from model_store.errors import DatasetDamaged, DatasetMissing, DatasetTooSmall
from tests.published_trees import add_identities, on_side, write_celebahq, write_ladn


def gather(bundle: Bundle, dataset: str, folder: Path, count: int) -> Subjects:
    return gather_subjects(bundle.models, DATASETS[dataset], count, 0, lambda *_: None, folder)


def test_a_dataset_with_one_photo_of_each_compares_with_the_original_and_says_so(
    bundle: Bundle, tmp_path: Path
) -> None:
    test = on_side("test", "non-makeup/{:05d}", 2)
    folder = write_ladn(tmp_path / "LADN", [*test, *on_side("train", "non-makeup/{:05d}", 1)])
    subjects = gather(bundle, "ladn", folder, 10)
    assert len(subjects.photos) == 2
    assert subjects.own_match_against == subjects.first(1).own_match_against == "the original"
    assert torch.equal(subjects.views, subjects.others)


def test_two_photos_of_a_person_are_compared_where_celeba_says_who_is_who(bundle: Bundle, tmp_path: Path) -> None:
    one, other, alone = on_side("test", "person {}", 3)
    folder = write_celebahq(tmp_path / "C", {0: (1, 0), 1: (1, 1), 2: (2, 0), 3: (2, 1), 4: (3, 0)})
    add_identities(folder, {0: one, 1: one, 2: other, 3: other, 4: alone})
    subjects = gather(bundle, "celebahq", folder, 10)
    assert subjects.own_match_against == "another photo"
    assert len(subjects.photos) == 2
    assert not torch.equal(subjects.views, subjects.others)


def test_rendered_strangers_are_compared_with_another_photo(subjects: Subjects) -> None:
    assert subjects.own_match_against == "another photo"


def test_a_seed_gives_its_people_in_its_order(tmp_path: Path) -> None:
    folder = write_ladn(tmp_path / "LADN", range(12))
    orders = [[pair.photo for pair in DATASETS["ladn"](seed, folder)] for seed in (3, 3, 4)]
    assert all(np.array_equal(a, b) for a, b in zip(orders[0], orders[1], strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(orders[0], orders[2], strict=True))


def test_what_stands_in_the_way_is_explained(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(DatasetMissing, match="where is LADN"):
        next(DATASETS["ladn"](0))
    train_only = write_ladn(tmp_path / "small", on_side("train", "non-makeup/{:05d}", 2))
    with pytest.raises(DatasetTooSmall, match="none of 2 people"):
        next(DATASETS["ladn"](0, train_only))
    (number,) = on_side("test", "non-makeup/{:05d}", 1)
    broken = write_ladn(tmp_path / "broken", [number])
    (broken / f"before/{number:05d}.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(DatasetDamaged, match=f"{number:05d}.jpg cannot be read"):
        gather(bundle, "ladn", broken, 1)
