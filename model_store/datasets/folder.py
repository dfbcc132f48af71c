"""People in a folder of anybody's: a folder for each, or files named PERSON_WHICH.jpg; and what a list says of them."""

import csv
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from model_store.datasets.people import Person
from model_store.datasets.pictures import SUFFIXES, list_pictures
from model_store.errors import DatasetDamaged, DatasetMissing

LISTING = "info.csv"
"""A row for each person, by `id`; every other column is a trait."""


def people_in(folder: Path) -> list[Person]:
    """Everybody with a photo in `folder`, sorted by id. Raises DatasetMissing, DatasetDamaged."""
    if not folder.is_dir():
        raise DatasetMissing(f"no people: there is no folder {folder}")
    photos: dict[str, list[Path]] = defaultdict(list)
    folders = sorted(path for path in folder.iterdir() if path.is_dir())
    if folders:
        for own in folders:
            photos[own.name] = sorted(path for path in own.iterdir() if path.suffix.lower() in SUFFIXES)
    else:
        for path in list_pictures(folder, "people").values():
            photos[path.stem.rpartition("_")[0] or path.stem].append(path)
    people = [Person(name, tuple(own)) for name, own in sorted(photos.items()) if own]
    if not people:
        raise DatasetDamaged(f"no people: {folder} has {len(folders)} folders and no picture in any of them")
    return people


def traits_in(folder: Path) -> Mapping[str, Mapping[str, str]]:
    """What the folder's list says of each person, by id and trait; nothing without a list. Raises DatasetDamaged."""
    path = folder / LISTING
    if not path.is_file():
        return {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return {row.pop("id"): row for row in rows}
    except (OSError, UnicodeDecodeError, csv.Error, KeyError) as error:
        raise DatasetDamaged(f"{path} is no table with a column `id`: {error}") from error
