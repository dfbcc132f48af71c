"""People in a folder of anybody's, two photos each: `docs/recognisers.md`."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

from evaluation.subjects import Pair
from model_store.datasets.folder import people_in
from model_store.datasets.pictures import read_photo
from model_store.errors import DatasetMissing


def dataset(seed: int, folder: Path | None = None, /) -> Iterator[Pair]:
    """Everybody with two photos: the first is changed, the second is what others hold. Raises DatasetError."""
    if folder is None:
        raise DatasetMissing("no people: nobody said in which folder they are (--people)")
    people = [person for person in people_in(folder) if len(person.photos) > 1]
    Random(seed).shuffle(people)
    for person in people:
        yield Pair(read_photo(person.photos[0]), read_photo(person.photos[1]), person.id)


DATASET = dataset
