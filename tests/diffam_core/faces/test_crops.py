"""A recogniser's crop lays landmarks where its template has them, whatever the view, and gradients reach the view."""

from typing import get_args

import cv2
import numpy as np
import pytest
import torch

from diffam_core.faces.crops import CropName, Points, crop, mirrored

ARCFACE = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))
SIDE = 200
TEMPLATES: tuple[CropName, ...] = tuple(name for name in get_args(CropName) if name != "portrait")


def posed(degrees: float = 0.0, times: float = 1.0) -> Points:
    """ArcFace's five points in a view of `SIDE` pixels, turned about its middle and scaled."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * times
    places = (np.array(ARCFACE) + 0.5) / 112 - 0.5
    return torch.from_numpy(places @ turn.T + 0.5).float()[None]


def dotted(points: Points, side: int = SIDE) -> torch.Tensor:
    """A black view with a soft bright spot at every landmark."""
    rows, columns = torch.meshgrid(*[(torch.arange(side) + 0.5) / side] * 2, indexing="ij")
    spots = [torch.exp(-((columns - x) ** 2 + (rows - y) ** 2) * 2500) for x, y in points[0]]
    return (2 * torch.stack(spots).amax(0) - 1).expand(1, 3, -1, -1).clone()


@pytest.mark.parametrize(("degrees", "times"), [(0, 1), (20, 0.8), (-35, 0.6), (90, 0.7)])
def test_landmarks_come_to_lie_where_the_template_has_them(degrees: float, times: float) -> None:
    points = posed(degrees, times)
    found = crop(dotted(points), points, "arcface", 112)[0, 0]
    for x, y in ARCFACE:
        assert found[round(y), round(x)] > 0.6


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("degrees", [25, -60])
def test_a_turned_view_gives_the_same_crop(name: CropName, degrees: float) -> None:
    upright, turned = (crop(dotted(posed(angle, 0.6)), posed(angle, 0.6), name, 96) for angle in (0, degrees))
    assert (upright - turned).abs().mean() < 0.02


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_larger_view_gives_the_same_crop(name: CropName) -> None:
    points = posed(10, 0.7)
    small, large = (crop(dotted(points, side), points, name, 64) for side in (150, 900))
    assert (small - large).abs().mean() < 0.02


@pytest.mark.parametrize("side", [60, 900])
def test_every_pixel_under_the_crop_has_a_gradient(side: int) -> None:
    """Also where a view shrinks many times over: what has no gradient cannot be protected."""
    points = posed(5, 0.9)
    view = torch.zeros(1, 3, side, side, requires_grad=True)
    crop(view, points, "arcface", 112).sum().backward()
    assert view.grad is not None
    middle = view.grad[0, 0, side // 3 : side // 2, side // 3 : side // 2]
    assert (middle > 0).all()


def test_the_similarity_is_the_one_that_opencv_fits() -> None:
    """On points that no similarity carries onto the template exactly."""
    noise = torch.tensor([[[0.02, 0.0], [0.0, 0.03], [-0.04, 0.01], [0.02, -0.02], [0.01, 0.03]]])
    points = posed(12, 0.7) + noise
    places = (points[0] * SIDE - 0.5).numpy()
    # without outliers the robust estimate is the least-squares one
    matrix, _ = cv2.estimateAffinePartial2D(places, np.array(ARCFACE), ransacReprojThreshold=1e3)
    view = dotted(points)
    expected = cv2.warpAffine(view[0, 0].numpy(), matrix, (112, 112), flags=cv2.INTER_LINEAR, borderValue=(-1.0,))
    assert np.abs(crop(view, points, "arcface", 112)[0, 0].numpy() - expected).max() < 0.03


def test_the_level_crop_makes_the_eyes_level_and_takes_three_times_their_distance() -> None:
    points = posed(30, 0.5)
    left, right = (points[0, index] * SIDE for index in (0, 1))
    mouth = points[0, 3:].mean(0) * SIDE
    wide = 3 * max(float((right - left).norm()), float((mouth - (left + right) / 2).norm()))
    found = crop(dotted(points), points, "level", 120)[0, 0]
    rows, columns = torch.where(found > found.amax() - 0.4)
    eyes = columns[rows < 60], rows[rows < 60]
    assert eyes[1].float().std() < 4
    assert float(eyes[0].max() - eyes[0].min()) == pytest.approx(float((right - left).norm()) / wide * 120, abs=6)


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_mirror_image_gives_the_mirror_image_of_the_crop(name: CropName) -> None:
    """Templates are not quite symmetrical."""
    points = posed(15, 0.7)
    plain, other = crop(dotted(points), points, name, 96), crop(dotted(points).flip(-1), mirrored(points), name, 96)
    assert (plain.flip(-1) - other).abs().mean() < 0.03
    assert torch.allclose(mirrored(mirrored(points)), points)
