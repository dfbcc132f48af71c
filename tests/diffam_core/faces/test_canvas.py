"""A face's canvas: what is added to it is what the photo gets."""

import numpy as np
import pytest
import torch

from diffam_core.faces.canvas import CANVAS_PX, EYES_PX, canvas_of, eyes_px
from diffam_core.faces.face import FoundFace, cut_portrait
from diffam_core.faces.paste import paste_change
from diffam_core.images import Photo, to_pixels
from model_store.rendered.renderer import FRAMING

HALF_A_LEVEL = 0.501 / 127.5


def face_at(x: float, y: float, distance: float, roll: float = 0.3) -> FoundFace:
    half = np.array([np.cos(roll), np.sin(roll)]) * distance / 2
    return FoundFace((0, 0, 1, 1), (x - half[0], y - half[1]), (x + half[0], y + half[1]), FRAMING)


def soft_photo(height: int, width: int, seed: int) -> Photo:
    coarse = torch.rand(1, 3, height // 20, width // 20, generator=torch.Generator().manual_seed(seed)) - 0.5
    return to_pixels(torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic")[0])


def soft_change(seed: int, cells: int) -> torch.Tensor:
    coarse = 0.2 * torch.randn(1, 3, cells, cells, generator=torch.Generator().manual_seed(seed))
    place = torch.linspace(-1, 1, CANVAS_PX)
    fade = (0.5 - place[:, None] ** 2 - place[None, :] ** 2).clamp(min=0)
    return torch.nn.functional.interpolate(coarse, CANVAS_PX, mode="bicubic")[0] * fade


@pytest.mark.parametrize("distance", [12.3, 40.0, 51.1])
def test_at_the_photos_own_scale_the_photo_gets_what_the_canvas_got_up_to_rounding(distance: float) -> None:
    photo, change = soft_photo(400, 420, 1), soft_change(2, CANVAS_PX)
    canvas = canvas_of(face_at(201.3, 160.8, distance))
    before = cut_portrait(photo, canvas, CANVAS_PX)
    after = cut_portrait(paste_change(photo, canvas, change), canvas, CANVAS_PX)
    assert change.abs().max() > 0.1
    assert (after - before - change).abs().max() < HALF_A_LEVEL


def test_a_canvas_that_has_the_photos_scale_is_cut_out_of_it() -> None:
    photo = soft_photo(400, 420, 3)
    canvas = to_pixels(cut_portrait(photo, canvas_of(face_at(201.3, 160.8, 50)), CANVAS_PX)[0])
    left, top = 201 - 127, 160 - 111
    assert np.array_equal(canvas, photo[top : top + CANVAS_PX, left : left + CANVAS_PX])


@pytest.mark.parametrize("distance", [80.0, 130.0, 200.0])
def test_in_a_larger_photo_a_soft_change_comes_back_as_it_was(distance: float) -> None:
    photo, change = soft_photo(1200, 1200, 4), soft_change(5, 40)
    face = face_at(590.2, 540.9, distance)
    canvas = canvas_of(face)
    before = cut_portrait(photo, canvas, CANVAS_PX)
    after = cut_portrait(paste_change(photo, canvas, change), canvas, CANVAS_PX)
    assert eyes_px(face) == EYES_PX
    assert (after - before - change).abs().max() < 0.1 * change.abs().max()


def test_the_eyes_lie_where_a_canvas_has_them_whatever_the_photos_size() -> None:
    for distance in (30.0, 51.2, 150.0):
        face = face_at(590.2, 540.9, distance)
        canvas = canvas_of(face)
        assert canvas.eye_distance_px == pytest.approx(face.eye_distance_px)
        assert np.abs(np.subtract(canvas.eye_middle, face.eye_middle)).max() <= 0.5
        assert canvas.roll_deg == 0
        assert canvas.side_px * eyes_px(face) == pytest.approx(CANVAS_PX * face.eye_distance_px)
