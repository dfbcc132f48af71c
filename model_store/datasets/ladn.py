"""The LADN dataset: 333 bare and 302 made-up faces, nothing else known about them.

Two folders of pictures: `before/` and `after/` as released, or `non-makeup/` and `makeup/` as later papers name them.
"""

from pathlib import Path

from model_store.datasets.people import Person, PublishedDataset
from model_store.datasets.pictures import Tree, list_pictures

TITLE = "LADN"
BARE, MADE_UP = ("non-makeup", "before"), ("makeup", "after")


def _people(folder: Path, names: tuple[str, ...]) -> list[Person]:
    home = Tree(folder, TITLE, BARE + MADE_UP).part(*names)
    return [Person(f"{names[0]}/{path.stem}", (path,)) for path in list_pictures(home, TITLE).values()]


def portraits(folder: Path) -> list[Person]:
    """The bare faces. Raises DatasetMissing, DatasetDamaged."""
    return _people(folder, BARE)


def made_up(folder: Path) -> list[Person]:
    """The made-up faces. Raises DatasetMissing, DatasetDamaged."""
    return _people(folder, MADE_UP)


LADN = PublishedDataset("ladn", TITLE, portraits, made_up)
