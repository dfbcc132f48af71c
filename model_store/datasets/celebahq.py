"""CelebAMask-HQ: 30,000 celebrity portraits of 1024 pixels, each with 40 attributes and up to 18 part masks.

`CelebA-HQ-img/{number}.jpg`, `CelebAMask-HQ-attribute-anno.txt`, masks of 512 pixels in
`CelebAMask-HQ-mask-anno/{number // 2000}/{number:05d}_{part}.png`. Who is who stands in a file of CelebA itself,
`identity_CelebA.txt`; with it beside the others, the photos of one person stay together.
"""

from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_store.datasets.people import Person, PublishedDataset
from model_store.datasets.pictures import Tree, check_listed, list_pictures, read_labels, read_lines
from model_store.errors import DatasetDamaged

TITLE = "CelebAMask-HQ"
IMAGES, MASKS, ATTRIBUTES = "CelebA-HQ-img", "CelebAMask-HQ-mask-anno", "CelebAMask-HQ-attribute-anno.txt"
MAPPING, IDENTITIES = "CelebA-HQ-to-CelebA-mapping.txt", "identity_CelebA.txt"
PARTS = (
    "skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear", "mouth", "u_lip", "l_lip",
    "hair", "hat", "ear_r", "neck_l", "neck", "cloth",
)  # fmt: skip
MASKS_PER_FOLDER = 2000


def _tree(folder: Path) -> Tree:
    return Tree(folder, TITLE, (IMAGES, MASKS, ATTRIBUTES, MAPPING))


def read_attributes(folder: Path) -> dict[str, frozenset[str]]:
    """Per picture's file name, the attributes it has. Raises DatasetMissing, DatasetDamaged."""
    path = _tree(folder).part(ATTRIBUTES)
    lines = read_lines(path)
    head = list(islice(lines, 2))
    if len(head) < 2 or not head[0][1][0].isdecimal():
        raise DatasetDamaged(f"{path} does not begin with a count and a line of attribute names")
    count, names = int(head[0][1][0]), head[1][1]
    table = {}
    for number, (picture, *signs) in lines:
        if len(signs) != len(names) or not set(signs) <= {"1", "-1"}:
            raise DatasetDamaged(f"{path}, line {number}: {len(names)} times 1 or -1 expected after the picture's name")
        table[picture] = frozenset(name for name, sign in zip(names, signs, strict=True) if sign == "1")
    if len(table) != count:
        raise DatasetDamaged(f"{path} announces {count} pictures and lists {len(table)}")
    return table


def part_masks(folder: Path, number: int) -> dict[str, NDArray[np.bool_]]:
    """The masks `(512, 512)` of a picture, by part. A part that is hidden has none; the skin always has one.

    Raises DatasetMissing, DatasetDamaged.
    """
    home = _tree(folder).part(MASKS) / str(number // MASKS_PER_FOLDER)
    files = {part: home / f"{number:05d}_{part}.png" for part in PARTS}
    found = {part: path for part, path in files.items() if path.is_file()}
    if "skin" not in found:
        raise DatasetDamaged(
            f"{TITLE} is incomplete: looked for {files['skin'].name} in {home}; {len(found)} of the {len(PARTS)} parts"
            f" of picture {number} were found there"
        )
    return {part: read_labels(path) > 0 for part, path in found.items()}


def read_identities(folder: Path) -> dict[str, str]:
    """Per picture's file name, whose it is in CelebA; empty without `identity_CelebA.txt`. Raises DatasetDamaged."""
    path = folder / IDENTITIES
    if not path.is_file():
        return {}
    if not (folder / MAPPING).is_file():
        raise DatasetDamaged(f"{IDENTITIES} is in {folder}, but not {MAPPING}, which says what it is about")
    whose = {words[0]: words[-1] for _, words in read_lines(path)}
    people = {}
    for number, words in islice(read_lines(folder / MAPPING), 1, None):
        if len(words) < 3 or words[2] not in whose:
            raise DatasetDamaged(f"{folder / MAPPING}, line {number}: no picture that {IDENTITIES} knows")
        people[f"{words[0]}.jpg"] = whose[words[2]]
    return people


def _people(folder: Path, attribute: str | None) -> list[Person]:
    home = _tree(folder).part(IMAGES)
    attributes, pictures, whose = read_attributes(folder), list_pictures(home, TITLE), read_identities(folder)
    check_listed(attributes, pictures, home, folder / ATTRIBUTES, TITLE)
    photos: dict[str, list[Path]] = {}
    for name in sorted(attributes, key=lambda name: (len(name), name)):
        if attribute is None or attribute in attributes[name]:
            person = f"person {whose[name]}" if name in whose else f"picture {name}"
            photos.setdefault(person, []).append(pictures[name])
    return [Person(person, tuple(paths)) for person, paths in photos.items()]


def portraits(folder: Path) -> list[Person]:
    """Everybody, as the paper trains and tests: some wear make-up. Raises DatasetMissing, DatasetDamaged."""
    return _people(folder, None)


def made_up(folder: Path) -> list[Person]:
    """Those with the attribute Heavy_Makeup. Raises DatasetMissing, DatasetDamaged."""
    return _people(folder, "Heavy_Makeup")


CELEBAHQ = PublishedDataset("celebahq", TITLE, portraits, made_up)
