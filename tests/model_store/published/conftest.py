"""A file host that listens on this machine, small published files, and a bundle made of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.model_store.published.file_server import FileHost, file_host
from tests.model_store.published.small import bundle_of, downloads


@pytest.fixture
def host() -> Iterator[FileHost]:
    """A host without files."""
    with file_host() as listening:
        yield listening


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of downloads; tests that spoil one work on a copy."""
    return downloads(tmp_path_factory.mktemp("files") / "downloads")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the bundle goes; nothing else is there."""
    return tmp_path / "bundles" / "celebahq-256"


@pytest.fixture
def bundle(files: Path, place: Path) -> Path:
    """All downloads, imported."""
    bundle_of([files], place)
    return place
