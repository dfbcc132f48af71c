"""People of published datasets as pairs of photos, from their test side."""

from collections.abc import Iterator
from pathlib import Path

from evaluation.subjects import Dataset, Pair
from model_store.datasets.people import PublishedDataset, choose
from model_store.datasets.pictures import read_photo
from model_store.errors import DatasetMissing, DatasetTooSmall


def pairs_of(dataset: PublishedDataset) -> Dataset:
    """The test side of a published dataset: people with two photos where there are any, else everybody's only one."""

    def pairs(seed: int, folder: Path | None = None) -> Iterator[Pair]:
        if folder is None:
            raise DatasetMissing(f"where is {dataset.title}? Name its folder: --dataset-dir, or DIFFAM_DATASET_DIR")
        everybody = dataset.portraits(folder)
        people = choose(everybody, "test", seed)
        if not people:
            raise DatasetTooSmall(f"{dataset.title} at {folder}: none of {len(everybody)} people is on the test side")
        known = [person for person in people if len(person.photos) > 1]
        for person in known or people:
            first, *more = (read_photo(path) for path in person.photos[:2])
            yield Pair(first, more[0] if more else None, person.id)

    return pairs
