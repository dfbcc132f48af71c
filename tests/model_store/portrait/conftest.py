"""A small folder of people to make the portrait bundle from, and what is cut out of it."""

from pathlib import Path

import pytest
from PIL import Image

from diffam_core.images import to_pixels
from model_store.portrait.build import SOURCES
from model_store.portrait.portraits import Portraits, cut_portraits, read_portraits
from model_store.published.fetching.pull import pull
from model_store.published.sources import read_sources
from model_store.rendered.portraits import draw_portraits
from tests.shipped import DETECTOR, Shipped

NAMES = ("ai/female_00", "ai/female_64", "sfhq_t2i/Face_001", "sfhq_t2i/Face_002", "sfhq_t2i/Face_003")


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rendered faces under the names of the folders that are trained on, and a picture without a face."""
    folder = tmp_path_factory.mktemp("people")
    for name, face in zip(NAMES, draw_portraits(len(NAMES), 5, 320), strict=True):
        (folder / name).parent.mkdir(exist_ok=True)
        Image.fromarray(to_pixels(face)).save(folder / f"{name}.jpg", quality=95)
    Image.new("RGB", (200, 200), "grey").save(folder / "ai/female_01.jpg")
    return folder


@pytest.fixture(scope="session")
def portraits(people: Path, shipped: Shipped, tmp_path_factory: pytest.TempPathFactory) -> Portraits:
    """Everybody of `people` who has a face."""
    path = tmp_path_factory.mktemp("work") / "portraits.safetensors"
    cut_portraits(people, shipped.file(DETECTOR), path, lambda *_: None)
    return read_portraits(path)


@pytest.fixture(scope="session")
def mesh_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the face mesh as it was published; skips the test where it cannot be had."""
    folder = tmp_path_factory.mktemp("mesh")
    pulled = pull(read_sources(SOURCES), folder, pause_s=0.01)
    if not pulled.is_complete:
        pytest.skip(f"the face mesh cannot be had here: {pulled.failures[0]}")
    return folder
