"""The face mesh gives what its published graph gives, and its points lie where eyes and mouth are."""

from pathlib import Path

import numpy as np
import pytest
import torch

from diffam_core.images import to_pixels
from model_store.errors import CheckpointDamaged
from model_store.portrait.mesh import FILES, FaceMesh, locate, read_mesh
from model_store.rendered.portraits import draw_portraits
from model_store.rendered.renderer import FRAMING
from tests.model_store.published.recognisers.plain_tfjs import run_graph

SIDE_PX = 320
EYES = [
    (np.array([FRAMING.eye_middle[0] + side * FRAMING.eye_distance / 2, FRAMING.eye_middle[1]]) * SIDE_PX - 0.5)
    for side in (-1, 1)
]


@pytest.fixture(scope="module")
def mesh(mesh_files: Path) -> FaceMesh:
    return read_mesh(mesh_files)


def test_the_network_computes_what_the_published_graph_does(mesh: FaceMesh, mesh_files: Path) -> None:
    pixels = draw_portraits(2, 3, 192) / 2 + 0.5
    listing, values = (mesh_files / name for name in FILES)
    expected = run_graph(listing, values, pixels, "Identity_2").view(2, 468, 3)
    assert torch.allclose(mesh(pixels), expected, atol=1e-3)


def test_the_eyes_of_the_mesh_are_where_they_were_drawn(mesh: FaceMesh) -> None:
    for face in draw_portraits(4, 3, SIDE_PX):
        points = locate(mesh, to_pixels(face), EYES[0], EYES[1])
        for corners, eye in zip(((33, 133), (362, 263)), EYES, strict=True):
            assert np.hypot(*(points[list(corners)].mean(0) - eye)) < 0.04 * SIDE_PX


def test_a_turned_photo_has_the_same_points_turned(mesh: FaceMesh) -> None:
    photo = to_pixels(draw_portraits(1, 3, SIDE_PX)[0])
    upright = locate(mesh, photo, EYES[0], EYES[1])
    last = SIDE_PX - 1
    turned = locate(mesh, np.ascontiguousarray(np.rot90(photo, 2)), last - EYES[0], last - EYES[1])
    assert np.abs(last - turned - upright).max() < 0.01 * SIDE_PX


def test_a_file_that_was_cut_short_is_told(mesh_files: Path, tmp_path: Path) -> None:
    listing, values = (mesh_files / name for name in FILES)
    (tmp_path / listing.name).write_bytes(listing.read_bytes())
    (tmp_path / values.name).write_bytes(values.read_bytes()[:-100])
    with pytest.raises(CheckpointDamaged):
        read_mesh(tmp_path)
