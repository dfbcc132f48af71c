"""A small folder of people to make the portrait bundle from, and what is cut out of it."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from diffam_core.images import Photo, to_pixels
from model_store.datasets.pictures import read_photo
from model_store.portrait.build import SOURCES
from model_store.portrait.mesh import Points, locate, read_mesh
from model_store.portrait.portraits import Portraits, cut_portraits, read_portraits
from model_store.portrait.regions import Regions, regions_of
from model_store.published.fetching.pull import pull
from model_store.published.sources import read_sources
from model_store.rendered.portraits import draw_portraits
from tests.shipped import DETECTOR, Shipped

SMILING, EYES = "people/ai/female_22.jpg", ((0.452, 0.251), (0.562, 0.255))
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


class Face(NamedTuple):
    photo: Photo
    points: Points
    regions: Regions


@pytest.fixture(scope="session")
def face(mesh_files: Path, assets: Path) -> Face:
    """A woman who shows her teeth."""
    photo = read_photo(assets / SMILING)
    eyes = [np.array(eye) * photo.shape[1::-1] for eye in EYES]
    points = locate(read_mesh(mesh_files), photo, eyes[0], eyes[1])
    return Face(photo, points, regions_of(photo, points))


def wide_of(face: Face) -> tuple[torch.Tensor, torch.Tensor]:
    """The face in the middle of a wide picture, and its points there."""
    low, high = face.points.min(0), face.points.max(0)
    scale = 190 / (high - low).max()
    shift = 176 - scale * (low + high) / 2
    picture = cv2.warpAffine(face.photo, np.hstack([np.eye(2) * scale, shift[:, None]]), (352, 352))
    tensor = torch.from_numpy(picture).permute(2, 0, 1)[None]
    return tensor, torch.from_numpy(face.points * scale + shift)[None].float()
