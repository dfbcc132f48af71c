"""The folder that an assistant works in. It names files, and nobody knows who put the names into its mouth.

So a name leads nowhere else, by no `..`, no absolute path and no link; only photos are read; and what is there stays as
it is. Files that change while they are looked at are not guarded against: who can do that needs no assistant.
"""

import os
from pathlib import Path

from cli.errors import CliError
from cli.wishes import FORMATS


class PathRefused(CliError):
    """The assistant may not read or write there."""


def photo_in(folder: Path, named: str) -> Path:
    """The photo of that name. folder: resolved. Raises PathRefused."""
    path = _inside(folder, folder / named, named)
    _check_suffix(path, named)
    if not path.is_file():
        raise PathRefused(f"there is no file {named!r} in {folder}")
    return path


def place_in(folder: Path, named: str) -> Path:
    """Where a file of that name can be written: nothing is there yet. folder: resolved. Raises PathRefused."""
    wanted = folder / named
    path = _inside(folder, wanted.parent, named) / wanted.name
    _check_suffix(path, named)
    if os.path.lexists(path):
        raise PathRefused(f"{named!r} is there already, and nothing is overwritten: choose another name")
    return path


def write_new(path: Path, content: bytes) -> None:
    """Write a file that is not there; half of one is removed. Raises OSError; PathRefused: it is there by now."""
    try:
        with path.open("xb") as file:
            try:
                file.write(content)
            except BaseException:
                path.unlink()
                raise
    except FileExistsError as error:
        raise PathRefused(f"{path} came to be meanwhile, and stays as it is: choose another name") from error


def _inside(folder: Path, path: Path, named: str) -> Path:
    """Where the path really leads. Raises PathRefused: out of the folder, or nowhere."""
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:  # links that go round, names that cannot be
        raise PathRefused(f"there is no {named!r} in {folder}") from error
    if not real.is_relative_to(folder):
        raise PathRefused(f"{named!r} is outside {folder}, the folder that this assistant may use")
    return real


def _check_suffix(path: Path, named: str) -> None:
    if path.suffix.lower() not in FORMATS:
        raise PathRefused(f"{named!r} is not named as a photo is: it must end in {', '.join(FORMATS)}")
