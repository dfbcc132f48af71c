"""The photos of an album, told by their content, and the names of what they become."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.photo.formats import tell_format
from cli.errors import CliError, FileUnreadable

HEADER_BYTES = 4096


@dataclass(frozen=True)
class Album:
    """Where photos come from and go to, and which there are: paths within `folder`, in order. others: no photos."""

    folder: Path
    out: Path
    photos: list[str]
    others: list[str]


def find_photos(folder: Path, out: Path) -> Album:
    """What lies below `folder`; hidden files and the out folder are no part of it. Raises CliError."""
    home, here = folder.resolve(), out.resolve()
    if home.is_relative_to(here):
        raise CliError("--out must be a folder of its own: originals are never written over")
    photos: list[str] = []
    others: list[str] = []
    for path in sorted(home.rglob("*")):
        within = path.relative_to(home)
        if any(part.startswith(".") for part in within.parts) or path.is_relative_to(here) or not path.is_file():
            continue
        (photos if is_photo(path) else others).append(within.as_posix())
    if not photos:
        raise CliError(f"no photo in {folder}; {len(others)} other files")
    return Album(home, here, photos, others)


def is_photo(path: Path) -> bool:
    """By its first bytes; one that cannot be read counts as a photo, which will fail with a reason."""
    try:
        with path.open("rb") as file:
            return tell_format(file.read(HEADER_BYTES)) is not None
    except OSError:
        return True


def finished_names(photos: Sequence[str], suffix: str) -> dict[str, str]:
    """The name of each finished file: another suffix, or one more where two photos would get the same name."""
    stems = {photo: str(Path(photo).with_suffix("")) for photo in photos}
    shared = Counter(stem.lower() for stem in stems.values())
    return {photo: (stem if shared[stem.lower()] == 1 else photo) + suffix for photo, stem in stems.items()}


def read_file(path: Path) -> bytes:
    """The bytes of a file. Raises FileUnreadable."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileUnreadable(f"{path.name} cannot be read: {error.strerror}") from error
