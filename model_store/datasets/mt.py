"""The MT dataset (BeautyGAN): 1,115 bare and 2,719 made-up faces of 361 pixels, each with a map of labels.

`images/{makeup,non-makeup}/NAME.png`, `segs/{makeup,non-makeup}/NAME.png`, and the lists `makeup.txt` and
`non-makeup.txt`, whose lines are `makeup/NAME.png` or `NAME.png`. Without a list, all pictures of the folder count.
"""

from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from model_store.datasets.people import Person, PublishedDataset
from model_store.datasets.pictures import Tree, check_listed, list_pictures, read_labels, read_lines
from model_store.errors import DatasetDamaged

TITLE = "MT-dataset"
Kind = Literal["makeup", "non-makeup"]
LABELS = (
    "background", "face", "left_brow", "right_brow", "left_eye", "right_eye", "nose", "upper_lip", "teeth",
    "lower_lip", "hair", "left_ear", "right_ear", "neck",
)  # fmt: skip
"""What the numbers of a label map mean."""


def _tree(folder: Path) -> Tree:
    return Tree(folder, TITLE, tuple(f"{part}/{kind}" for part in ("images", "segs") for kind in get_args(Kind)))


def _people(folder: Path, kind: Kind) -> list[Person]:
    home = _tree(folder).part(f"images/{kind}")
    pictures = list_pictures(home, TITLE)
    listing = folder / f"{kind}.txt"
    names = list(pictures)
    if listing.is_file():
        names = sorted({words[0].removeprefix(f"{kind}/") for _, words in read_lines(listing)})
        check_listed(names, pictures, home, listing, TITLE)
    return [Person(f"{kind}/{Path(name).stem}", (pictures[name],)) for name in names]


def portraits(folder: Path) -> list[Person]:
    """The bare faces. Raises DatasetMissing, DatasetDamaged."""
    return _people(folder, "non-makeup")


def made_up(folder: Path) -> list[Person]:
    """The made-up faces. Raises DatasetMissing, DatasetDamaged."""
    return _people(folder, "makeup")


def label_map(folder: Path, kind: Kind, name: str) -> NDArray[np.uint8]:
    """The labels `(height, width)` of a picture, by its file name: indices into `LABELS`.

    Raises DatasetMissing, DatasetDamaged.
    """
    path = _tree(folder).part(f"segs/{kind}") / f"{Path(name).stem}.png"
    labels = read_labels(path)
    if labels.max() >= len(LABELS):
        raise DatasetDamaged(f"{path} has a label {labels.max()}; the largest is {len(LABELS) - 1}")
    return labels


MT = PublishedDataset("mt", TITLE, portraits, made_up)
