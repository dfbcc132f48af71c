"""Painted make-up lies where it is meant to, keeps texture, and touches nothing else."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from diffam_core.images import Photo
from model_store.portrait.painting import LOOKS, paint
from model_store.portrait.regions import SIDES, regions_of, smooth
from tests.model_store.portrait.conftest import Face


def change(face: Face, painted: Photo) -> NDArray[np.float32]:
    """How far each pixel's colour moved, in CIELAB."""
    both = [cv2.cvtColor(each.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) for each in (face.photo, painted)]
    moved: NDArray[np.float32] = np.linalg.norm(both[1] - both[0], axis=2)
    return moved


def test_strength_nought_paints_nothing(face: Face) -> None:
    assert np.array_equal(paint(face.photo, face.points, LOOKS["evening"], 0.0), face.photo)


@pytest.mark.parametrize("look", sorted(LOOKS))
def test_a_look_is_seen_on_the_face_and_nowhere_else(face: Face, look: str) -> None:
    moved = change(face, paint(face.photo, face.points, LOOKS[look]))
    assert moved[face.regions.lips > 0.9].mean() > 2
    assert moved[face.regions.brows > 0.9].mean() > 1
    outside = cv2.dilate(face.regions.face, np.ones((25, 25), np.uint8)) < 0.01
    assert moved[outside].max() == 0


def test_lipstick_stays_off_teeth_and_skin(face: Face) -> None:
    moved = change(face, paint(face.photo, face.points, LOOKS["evening"]))
    assert moved[face.regions.lips > 0.9].mean() > 20
    assert moved[face.regions.mouth > 0.9].mean() < 4
    around = cv2.dilate(face.regions.lips, np.ones((5, 5), np.uint8)) < 0.01
    near = cv2.dilate(face.regions.lips, np.ones((15, 15), np.uint8)) > 0.5
    assert moved[around & near & (face.regions.mouth < 0.01)].mean() < 4


def test_liner_is_dark_along_the_lashes_and_leaves_the_eyeballs(face: Face) -> None:
    painted = paint(face.photo, face.points, LOOKS["evening"])
    line = face.regions.liner > 0.8
    assert painted[line].mean() < 0.75 * face.photo[line].mean()
    inside = cv2.erode(face.regions.eyeballs, np.ones((7, 7), np.uint8)) > 0.9
    assert inside.any()
    assert change(face, painted)[inside].mean() < 2


def test_texture_of_the_lips_is_kept(face: Face) -> None:
    painted = paint(face.photo, face.points, LOOKS["berry"])
    lips = face.regions.lips > 0.95
    fine = [each.mean(2) - cv2.GaussianBlur(each.mean(2), (0, 0), 3) for each in (face.photo, painted)]
    assert np.corrcoef(fine[0][lips], fine[1][lips])[0, 1] > 0.9


def test_half_a_photo_has_the_same_masks_at_half_the_size(face: Face) -> None:
    small = cv2.resize(face.photo, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA).astype(np.uint8)
    halved = regions_of(small, (face.points + 0.5) / 2 - 0.5)
    for name in ("lips", "lids", "face", "shadow"):
        full = getattr(face.regions, name)
        expected = cv2.resize(full, small.shape[1::-1], interpolation=cv2.INTER_AREA)
        assert np.abs(getattr(halved, name) - expected).mean() < 0.1 * expected.mean(), name


def test_a_face_cut_off_by_the_photo_is_painted_as_far_as_it_goes(face: Face) -> None:
    middle = int(face.points[:, 0].mean())
    half = np.ascontiguousarray(face.photo[:, :middle])
    painted = paint(half, face.points, LOOKS["berry"])
    assert painted.shape == half.shape
    assert not np.array_equal(painted, half)


def test_a_curve_ends_where_its_points_do(face: Face) -> None:
    lash = face.points[list(SIDES[0].lash)]
    curve = smooth(lash)
    assert np.allclose(curve[[0, -1]], lash[[0, -1]])
    assert np.hypot(*np.diff(curve, axis=0).T).max() < np.hypot(*np.diff(lash, axis=0).T).max()
