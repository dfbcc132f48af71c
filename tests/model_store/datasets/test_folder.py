"""People are read from a folder for each, or from names of files; what a list says of them comes along."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluation.datasets.people import dataset
from model_store.datasets.folder import people_in, traits_in
from model_store.errors import DatasetDamaged, DatasetMissing


def picture(path: Path, grey: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (grey, grey, grey)).save(path)


def test_a_folder_for_each_person(tmp_path: Path) -> None:
    for place, name in enumerate(("Ada/1.jpg", "Ada/2.jpg", "Bo/x.png")):
        picture(tmp_path / name, place)
    (tmp_path / "Cy").mkdir()
    assert [(person.id, len(person.photos)) for person in people_in(tmp_path)] == [("Ada", 2), ("Bo", 1)]


def test_files_named_by_person_and_which(tmp_path: Path) -> None:
    for place, name in enumerate(
        ("001_neutral.jpg", "001_smiling.jpg", "van_Dyck_1.jpg", "van_Dyck_2.jpg", "lone.jpg")
    ):
        picture(tmp_path / name, place)
    assert [(person.id, len(person.photos)) for person in people_in(tmp_path)] == [
        ("001", 2),
        ("lone", 1),
        ("van_Dyck", 2),
    ]


def test_a_pair_is_two_photos_of_one_person_in_an_order_that_the_seed_decides(tmp_path: Path) -> None:
    for person in range(6):
        for which in range(2):
            picture(tmp_path / f"{person}_{which}.png", 40 * person + which)
    picture(tmp_path / "lone.png", 250)

    def order(seed: int) -> list[int]:
        pairs = [(int(a[0, 0, 0]), int(b[0, 0, 0])) for a, b, _ in dataset(seed, tmp_path) if b is not None]
        assert all(np.subtract(b, a) == 1 for a, b in pairs)
        return [a // 40 for a, _ in pairs]

    assert sorted(order(0)) == list(range(6))
    assert order(0) == order(0) != order(1)


def test_a_list_tells_traits_by_id_and_none_is_none(tmp_path: Path) -> None:
    assert traits_in(tmp_path) == {}
    (tmp_path / "info.csv").write_text("id,age\n001,24\n")
    assert traits_in(tmp_path) == {"001": {"age": "24"}}
    (tmp_path / "info.csv").write_text("name,age\n001,24\n")
    with pytest.raises(DatasetDamaged, match="id"):
        traits_in(tmp_path)


def test_a_folder_that_is_not_there_or_shows_nobody_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetMissing, match="nowhere"):
        people_in(tmp_path / "nowhere")
    (tmp_path / "Ada").mkdir()
    with pytest.raises(DatasetDamaged, match="no picture"):
        people_in(tmp_path)
    with pytest.raises(DatasetMissing, match="--people"):
        next(dataset(0))
