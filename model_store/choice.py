"""Which bundle a process works with, and the recognisers of libraries beside it: read from listings alone, no torch."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from model_store.catalog import Catalog, find_bundle, read_catalog, read_manifest, too_few
from model_store.errors import UnknownBundle
from model_store.judges import FOLDER, choose_judges

AUTO, PORTRAIT, MINI = "auto", "portrait", "mini"
"""The best bundle that this machine can run: photoreal faces where enough recognisers were pulled, else drawn ones."""


class Choice(NamedTuple):
    """A bundle's folder, that of recognisers, and those of them that judge.

    because: why `auto` is no better bundle, a sentence; empty where there is nothing to say.
    """

    folder: Path
    recognisers: Path
    judging: tuple[str, ...]
    because: str = ""

    @property
    def catalog(self) -> Catalog:
        """What the bundle offers. Raises UnknownBundle, BundleDamaged, RecognisersMissing."""
        return read_catalog(self.folder, self.judging)


def choose_bundle(name: str, shelf: Path, judging: Sequence[str] | None = None) -> Choice:
    """The bundle of that name on the shelf or among the shipped ones; `AUTO` is the best that can run.

    judging: recognisers that may judge and be refined on; all that were pulled with None.
    Raises UnknownBundle, BundleDamaged, JudgeMissing.
    """
    pulled = choose_judges(shelf / FOLDER, judging)
    if name != AUTO:
        return Choice(find_bundle(name, shelf), shelf / FOLDER, pulled)
    try:
        portrait = find_bundle(PORTRAIT, shelf)
    except UnknownBundle:
        return Choice(find_bundle(MINI, shelf), shelf / FOLDER, pulled)
    if missing := too_few(read_manifest(portrait)["refinement"], pulled):
        because = f"The bundle {PORTRAIT!r} {missing}. Until then {MINI!r} shows the method on drawn faces."
        return Choice(find_bundle(MINI, shelf), shelf / FOLDER, pulled, because)
    return Choice(portrait, shelf / FOLDER, pulled)
