"""Who is in a dataset, and on which side of the split: train, validation or test.

The side of a person follows from the person's id alone, so that no seed, no order of files and no missing picture can
carry anybody across. The seed only decides in which order the people of a side come.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

Split = Literal["train", "validation", "test"]
SHARES: dict[Split, float] = {"train": 0.5, "validation": 0.1, "test": 0.4}
"""Of all people. The smallest dataset has 333: half are enough to train on, and 133 are left to be tested with."""


@dataclass(frozen=True)
class Person:
    """Somebody by an id that is the same on every machine, with one or more photos, sorted by number or name."""

    id: str
    photos: tuple[Path, ...]


@dataclass(frozen=True)
class PublishedDataset:
    """A dataset's name and how its folder is read.

    `portraits(folder)`: the people that transfer trains and is judged on. `made_up(folder)`: those that removal trains
    on. Both raise DatasetMissing, DatasetDamaged.
    """

    name: str
    title: str
    portraits: Callable[[Path], list[Person]]
    made_up: Callable[[Path], list[Person]]

    def bare(self, folder: Path) -> list[Person]:
        """Those of `portraits` of whom no photo is among the made-up ones. Raises as both."""
        made_up = {person.id for person in self.made_up(folder)}
        return [person for person in self.portraits(folder) if person.id not in made_up]


def split_of(person: str) -> Split:
    """The side of the person with this id."""
    position = int.from_bytes(sha256(person.encode()).digest()[:8], "big") / 2**64
    for split, share in SHARES.items():
        if position < share:
            return split
        position -= share
    return "test"


def choose(people: Iterable[Person], split: Split, seed: int) -> list[Person]:
    """The people of a side in the order of a seed; the same on every machine."""

    def place(person: Person) -> bytes:
        return sha256(f"{seed} {person.id}".encode()).digest()

    return sorted((person for person in people if split_of(person.id) == split), key=place)
