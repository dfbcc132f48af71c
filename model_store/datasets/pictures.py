"""Files of a dataset: what is there, what is not, and the pixels of one; every refusal says where it looked."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model_store.errors import DatasetDamaged, DatasetMissing

SUFFIXES = (".jpg", ".jpeg", ".png")
SHOWN = 3
"""How many names a message lists."""


@dataclass(frozen=True)
class Tree:
    """A dataset's folder, and the names of what is published in it."""

    folder: Path
    title: str
    names: tuple[str, ...]

    def part(self, *names: str) -> Path:
        """The first of `names` that is there. Raises DatasetDamaged when it is not, DatasetMissing when nothing is."""
        for name in names:
            if (self.folder / name).exists():
                return self.folder / name
        wanted = f"looked for {' or '.join(names)} in {self.folder}"
        if not self.folder.is_dir():
            raise DatasetMissing(f"no {self.title}: {wanted}; there is no such folder")
        if found := [name for name in self.names if (self.folder / name).exists()]:
            raise DatasetDamaged(f"{self.title} is incomplete: {wanted}; found only {', '.join(found)}")
        there = sorted(path.name for path in self.folder.iterdir())
        raise DatasetMissing(f"no {self.title}: {wanted}; found {_some(there)}")


def list_pictures(folder: Path, title: str) -> dict[str, Path]:
    """The pictures of a folder by file name, sorted. Raises DatasetDamaged when there is none."""
    there = sorted(path for path in folder.iterdir() if path.is_file())
    pictures = {path.name: path for path in there if path.suffix.lower() in SUFFIXES}
    if not pictures:
        raise DatasetDamaged(
            f"{title} is incomplete: looked for pictures ({', '.join(SUFFIXES)}) in {folder}; found none among"
            f" {len(there)} files"
        )
    return pictures


def check_listed(listed: Iterable[str], pictures: dict[str, Path], folder: Path, listing: Path, title: str) -> None:
    """Whether every picture of a list is in the folder. Raises DatasetDamaged with how many are, and which are not."""
    wanted = list(listed)
    missing = [name for name in wanted if name not in pictures]
    if missing:
        raise DatasetDamaged(
            f"{title} is incomplete: {listing.name} names {len(wanted)} pictures, {len(wanted) - len(missing)} were"
            f" found in {folder}; missing: {_some(missing)}"
        )


def read_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The lines that are not empty, as number and words. Raises DatasetDamaged when the file is no text."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetDamaged(f"{path} cannot be read as a text file: {error}") from error
    for number, line in enumerate(text.splitlines(), start=1):
        if words := line.split():
            yield number, words


def read_photo(path: Path) -> NDArray[np.uint8]:
    """The pixels of a picture, RGB `(height, width, 3)`.

    Raises DatasetDamaged with the picture's path when it is not there or does not decode to its end.
    """
    return _read(path, lambda image: image.convert("RGB"))


def read_labels(path: Path) -> NDArray[np.uint8]:
    """The numbers `(height, width)` of a map of labels or a mask, not their colours. Raises as `read_photo`."""
    return _read(path, lambda image: image if image.mode == "P" else image.convert("L"))


def _read(path: Path, convert: Callable[[Image.Image], Image.Image]) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as image:
            return np.array(convert(image), dtype=np.uint8)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DatasetDamaged(f"the picture {path} cannot be read: {error}; fetch it again") from error


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return (", ".join(names[:SHOWN]) or "nothing") + more
