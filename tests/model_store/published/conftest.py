"""A file host that listens on this machine."""

from collections.abc import Iterator

import pytest

from tests.model_store.published.file_server import FileHost, file_host


@pytest.fixture
def host() -> Iterator[FileHost]:
    """A host without files."""
    with file_host() as listening:
        yield listening
