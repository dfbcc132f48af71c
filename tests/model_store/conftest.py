"""The shipped bundle with an empty folder for additions, and the pictures of one of its references."""

from dataclasses import replace
from pathlib import Path

import pytest

from model_store.bundle import Bundle
from model_store.catalog import BUNDLES

EMBER = BUNDLES / "mini/references/ember"


@pytest.fixture
def own(bundle: Bundle, tmp_path: Path) -> Bundle:
    """Additions are the test's own; the networks are everybody's."""
    return replace(bundle, added=tmp_path / "added")


@pytest.fixture
def look() -> bytes:
    """A face wearing make-up."""
    return (EMBER / "look.png").read_bytes()


@pytest.fixture
def bare() -> bytes:
    """The same without."""
    return (EMBER / "bare.png").read_bytes()
