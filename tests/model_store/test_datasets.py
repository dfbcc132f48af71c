"""Published datasets: read in their own layouts, split alike everywhere, and explained when something is wrong."""

import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from model_store.datasets import PUBLISHED, celebahq, ladn, mt
from model_store.datasets.people import SHARES, Person, choose, split_of
from model_store.datasets.pictures import read_photo
from model_store.errors import DatasetDamaged, DatasetError, DatasetMissing
from tests.published_trees import PHOTO_PX, add_identities, write_celebahq, write_ladn, write_mt

Break = Callable[[Path], object]
IDS = st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=60, unique=True)


@pytest.fixture(scope="module")
def celeba(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_celebahq(tmp_path_factory.mktemp("trees") / "CelebAMask-HQ", {n: (n % 3, n) for n in (0, 1, 10, 2001)})


@pytest.fixture(scope="module")
def makeup_transfer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mt(tmp_path_factory.mktemp("trees") / "MT-dataset", [0, 1])


def copy_of(tree: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tree, tmp_path / tree.name))


def names(people: list[Person]) -> list[str]:
    return [path.name for person in people for path in person.photos]


@given(IDS)
def test_everybody_is_on_one_side_whoever_else_is_there(ids: list[str]) -> None:
    people = [Person(name, ()) for name in ids]
    sides = [{person.id for person in choose(people, split, 0)} for split in SHARES]
    assert sum(map(len, sides)) == len(ids)
    assert set().union(*sides) == set(ids)
    assert {person.id for person in choose(people[:1], split_of(ids[0]), 0)} == {ids[0]}


@given(IDS, st.integers(0, 2**31), st.randoms())
def test_the_same_seed_gives_the_same_people_in_any_order_of_files(
    ids: list[str], seed: int, shuffler: random.Random
) -> None:
    people = [Person(name, ()) for name in ids]
    mixed = list(people)
    shuffler.shuffle(mixed)
    assert all(choose(people, split, seed) == choose(mixed, split, seed) for split in SHARES)


@given(IDS, st.integers(0, 2**31), st.integers(0, 2**31))
def test_no_seed_carries_anybody_from_training_to_test(ids: list[str], one: int, other: int) -> None:
    people = [Person(name, ()) for name in ids]
    assert not {p.id for p in choose(people, "train", one)} & {p.id for p in choose(people, "test", other)}


def test_sides_have_their_shares_and_another_seed_another_order() -> None:
    people = [Person(f"picture {number}.jpg", ()) for number in range(4000)]
    for split, share in SHARES.items():
        assert len(choose(people, split, 0)) == pytest.approx(4000 * share, abs=100)
    assert choose(people, "test", 0)[:10] != choose(people, "test", 1)[:10]


def test_the_split_is_the_one_of_every_machine() -> None:
    # Fixed for good: another answer would put people that styles were trained on into the test.
    told = [split_of(f"picture {number}.jpg") for number in range(8)]
    assert told == ["train", "test", "train", "validation", "test", "train", "test", "train"]


def test_celebahq_lists_pictures_by_number_and_reads_them(celeba: Path) -> None:
    people = celebahq.portraits(celeba)
    assert names(people) == ["0.jpg", "1.jpg", "10.jpg", "2001.jpg"]
    assert read_photo(people[0].photos[0]).shape == (PHOTO_PX, PHOTO_PX, 3)
    assert names(celebahq.made_up(celeba)) == ["0.jpg", "10.jpg"]
    assert celebahq.read_attributes(celeba)["1.jpg"] == {"Smiling"}


def test_celebahq_masks_come_by_part_and_hidden_parts_are_left_out(celeba: Path) -> None:
    for number in (0, 2001):
        masks = celebahq.part_masks(celeba, number)
        assert set(masks) == {"skin", "u_lip", "l_eye"}
        assert masks["skin"].shape == (512, 512)
        assert masks["u_lip"][100:150].all()
        assert not masks["u_lip"][:100].any()


def test_photos_of_one_person_stay_together_where_celeba_says_who_is_who(celeba: Path, tmp_path: Path) -> None:
    tree = copy_of(celeba, tmp_path)
    add_identities(tree, {0: 7, 1: 7, 10: 8, 2001: 7})
    people = celebahq.portraits(tree)
    assert {person.id: names([person]) for person in people} == {
        "person 7": ["0.jpg", "1.jpg", "2001.jpg"],
        "person 8": ["10.jpg"],
    }


def test_mt_lists_bare_and_made_up_faces_with_their_labels(makeup_transfer: Path) -> None:
    assert names(mt.portraits(makeup_transfer)) == ["xfsy_0000.png", "xfsy_0001.png"]
    assert names(mt.made_up(makeup_transfer)) == ["xfsy_0900.png"]
    labels = mt.label_map(makeup_transfer, "non-makeup", "xfsy_0000.png")
    assert {mt.LABELS[label] for label in np.unique(labels)} == {"background", "face", "lower_lip"}


def test_mt_without_lists_takes_every_picture(makeup_transfer: Path, tmp_path: Path) -> None:
    tree = copy_of(makeup_transfer, tmp_path)
    (tree / "non-makeup.txt").unlink()
    assert mt.portraits(tree)[0].id == mt.portraits(makeup_transfer)[0].id
    assert len(mt.portraits(tree)) == 2


@pytest.mark.parametrize("folders", [("before", "after"), ("non-makeup", "makeup")])
def test_ladn_is_read_under_both_names_with_the_same_people(folders: tuple[str, str], tmp_path: Path) -> None:
    tree = write_ladn(tmp_path / "LADN", [3, 1], folders)
    assert [person.id for person in ladn.portraits(tree)] == ["non-makeup/00001", "non-makeup/00003"]
    assert names(ladn.made_up(tree)) == ["00901.jpg"]


@pytest.mark.parametrize("dataset", PUBLISHED.values(), ids=PUBLISHED.keys())
def test_a_folder_that_is_not_there_or_is_another_one_is_missing(tmp_path: Path, dataset: object) -> None:
    published = PUBLISHED[dataset.name]  # type: ignore[attr-defined]
    with pytest.raises(DatasetMissing, match=r"looked for .* in .*nowhere; there is no such folder"):
        published.portraits(tmp_path / "nowhere")
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday/beach.jpg").touch()
    with pytest.raises(DatasetMissing, match=rf"no {published.title}: looked for .*; found beach.jpg"):
        published.portraits(tmp_path / "holiday")


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:2000])


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def _forget_identities(tree: Path) -> None:
    add_identities(tree, {0: 7})
    (tree / celebahq.IDENTITIES).write_text("")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            lambda t: shutil.rmtree(t / "CelebA-HQ-img"),
            r"looked for CelebA-HQ-img in .*; found only CelebAMask",
        ),
        (lambda t: _empty(t / "CelebA-HQ-img"), r"looked for pictures .* found none among 0 files"),
        (lambda t: (t / "CelebA-HQ-img/10.jpg").unlink(), r"names 4 pictures, 3 were found in .*; missing: 10.jpg"),
        (lambda t: (t / celebahq.ATTRIBUTES).unlink(), r"looked for CelebAMask-HQ-attribute-anno.txt"),
        (lambda t: (t / celebahq.ATTRIBUTES).write_text("<html>\n"), r"does not begin with a count"),
        (lambda t: (t / celebahq.ATTRIBUTES).write_text("3\nYoung\n0.jpg 1\n"), r"announces 3 pictures and lists 1"),
        (lambda t: (t / celebahq.ATTRIBUTES).write_text("1\nYoung\n0.jpg 1 1\n"), r"line 3: 1 times 1 or -1"),
        (lambda t: (t / celebahq.IDENTITIES).write_text("001000.jpg 7\n"), r"but not CelebA-HQ-to-CelebA-mapping.txt"),
        (_forget_identities, r"line 2: no picture that"),
    ],
)
def test_a_damaged_celebahq_says_what_is_wrong(celeba: Path, tmp_path: Path, damage: Break, said: str) -> None:
    tree = copy_of(celeba, tmp_path)
    damage(tree)
    with pytest.raises(DatasetDamaged, match=said):
        celebahq.portraits(tree)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            lambda t: (t / "CelebAMask-HQ-mask-anno/0/00010_skin.png").unlink(),
            r"00010_skin.png in .*; 2 of the 18",
        ),
        (lambda t: shutil.rmtree(t / "CelebAMask-HQ-mask-anno/0"), r"00010_skin.png in .*; 0 of the 18 parts"),
        (lambda t: (t / "CelebAMask-HQ-mask-anno/0/00010_skin.png").write_bytes(b"no"), r"00010_skin.png cannot be"),
    ],
)
def test_masks_that_are_not_there_are_named(celeba: Path, tmp_path: Path, damage: Break, said: str) -> None:
    tree = copy_of(celeba, tmp_path)
    damage(tree)
    with pytest.raises(DatasetDamaged, match=said):
        celebahq.part_masks(tree, 10)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            lambda t: shutil.rmtree(t / "images/non-makeup"),
            r"looked for images/non-makeup in .*; found only images",
        ),
        (lambda t: _empty(t / "images/non-makeup"), r"found none among 0 files"),
        (lambda t: (t / "images/non-makeup/xfsy_0001.png").unlink(), r"names 2 pictures, 1 were found"),
        (lambda t: (t / "non-makeup.txt").write_bytes(b"\xff\xfe\x00"), r"non-makeup.txt cannot be read as a text"),
    ],
)
def test_a_damaged_mt_says_what_is_wrong(makeup_transfer: Path, tmp_path: Path, damage: Break, said: str) -> None:
    tree = copy_of(makeup_transfer, tmp_path)
    damage(tree)
    with pytest.raises(DatasetError, match=said):
        mt.portraits(tree)


def test_labels_beyond_the_table_are_refused(makeup_transfer: Path, tmp_path: Path) -> None:
    tree = copy_of(makeup_transfer, tmp_path)
    Image.fromarray(np.full((4, 4), 99, np.uint8)).save(tree / "segs/makeup/xfsy_0900.png")
    with pytest.raises(DatasetDamaged, match="label 99"):
        mt.label_map(tree, "makeup", "xfsy_0900.png")


def test_a_picture_that_ends_too_early_is_named(celeba: Path, tmp_path: Path) -> None:
    tree = copy_of(celeba, tmp_path)
    _truncate(tree / "CelebA-HQ-img/1.jpg")
    with pytest.raises(DatasetDamaged, match=r"CelebA-HQ-img/1.jpg cannot be read: .*truncated"):
        read_photo(celebahq.portraits(tree)[1].photos[0])


def test_reading_a_dataset_loads_no_torch() -> None:
    code = "import sys, model_store.datasets; sys.exit('torch' in sys.modules or 'cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
