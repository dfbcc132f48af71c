"""Which recognisers of libraries are here, read from `recognisers.toml` alone: no weights, no torch."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from model_store.digest import sha256_of
from model_store.errors import BundleDamaged, JudgeMissing
from model_store.manifest import JudgeRow, JudgesManifest

FOLDER = "recognisers"
"""Of the shelf."""
LISTING = "recognisers.toml"


@dataclass(frozen=True)
class JudgeCard:
    """A recogniser that may judge any photo: `stands_for` says in words who runs it.

    threshold: the cosine at a false accept rate of .01; `thresholds_from` says on whom it was measured.
    """

    name: str
    title: str
    stands_for: str
    threshold: float
    thresholds_from: str


def read_judges_manifest(folder: Path) -> JudgesManifest:
    """The parsed listing; an empty one when nothing was pulled. Raises BundleDamaged."""
    path = folder / LISTING
    if not path.is_file():
        return {"detector": "", "recognisers": {}, "files": {}}
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BundleDamaged(f"{folder.name}/{LISTING} cannot be read: {error}") from error
    if not {"detector", "recognisers", "files"} <= table.keys():
        raise BundleDamaged(f"{folder.name}/{LISTING} lacks a part; pull the recognisers again")
    return cast(JudgesManifest, table)


def read_judges(folder: Path) -> dict[str, JudgeCard]:
    """The recognisers in `folder`, by name. Raises BundleDamaged."""
    rows = read_judges_manifest(folder)["recognisers"]
    try:
        return {name: _card(name, row) for name, row in rows.items()}
    except (KeyError, TypeError) as error:
        raise BundleDamaged(f"{folder.name}/{LISTING} lacks {error}") from error


def _card(name: str, row: JudgeRow) -> JudgeCard:
    return JudgeCard(name, row["title"], row["stands_for"], row["thresholds"]["0.01"], row.get("thresholds_from", ""))


def check_judge(folder: Path, manifest: JudgesManifest, name: str) -> None:
    """Compare a recogniser's file, or the `detector`'s, with its digest. Raises BundleDamaged."""
    try:
        file = manifest["detector"] if name == "detector" else manifest["recognisers"][name]["file"]
        sha256 = manifest["files"][file]["sha256"]
    except (KeyError, TypeError) as error:
        raise BundleDamaged(f"{folder.name}/{LISTING} lacks {error}") from error
    if not (folder / file).is_file():
        raise BundleDamaged(f"{file} is missing; `diffam models pull recognisers` mends it")
    if sha256_of(folder / file) != sha256:
        raise BundleDamaged(f"{file} is not the file that was imported; `diffam models pull recognisers` mends it")


def choose_judges(folder: Path, wanted: Sequence[str] | None) -> tuple[str, ...]:
    """The names of those that are wanted, all of them with None. Raises JudgeMissing, BundleDamaged."""
    cards = read_judges(folder)
    if wanted is None:
        return tuple(cards)
    if unknown := [name for name in wanted if name not in cards]:
        known = f"there are {', '.join(cards)}" if cards else "none was pulled"
        raise JudgeMissing(f"no recogniser {unknown[0]!r}: {known}; `diffam models pull recognisers` fetches them")
    return tuple(dict.fromkeys(wanted))
