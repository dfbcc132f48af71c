"""Cutting portraits out and pasting changes back where it is easily wrong: any framing, any roll, at the border."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from diffam_core.faces.face import (
    MOST_TIMES,
    FoundFace,
    cut_portrait,
    native_px,
    portrait_transform,
    scale_face,
    shift_face,
    stack_portraits,
)
from diffam_core.faces.framing import Framing
from diffam_core.faces.paste import paste_change, paste_changes

FRAMING = Framing((0.5, 0.46), 0.28)
FACE = FoundFace((80, 60, 60, 60), (90.0, 80.0), (130.0, 80.0), FRAMING)


@pytest.mark.parametrize("framing", [FRAMING, Framing((0.4, 0.6), 0.2)])
@pytest.mark.parametrize("right_eye", [(130.0, 80.0), (115.0, 110.0), (50.0, 80.0)])
def test_both_eyes_come_to_where_the_framing_wants_them(framing: Framing, right_eye: tuple[float, float]) -> None:
    face = replace(FACE, framing=framing, right_eye=right_eye)
    left, right = (portrait_transform(face, 100) @ [*eye, 1] for eye in (face.left_eye, face.right_eye))
    x, y = (100 * place - 0.5 for place in framing.eye_middle)
    half = 50 * framing.eye_distance
    assert left.tolist() == pytest.approx([x - half, y])
    assert right.tolist() == pytest.approx([x + half, y])


def test_a_head_leans_clockwise_when_its_right_eye_is_lower() -> None:
    assert FACE.roll_deg == 0
    assert replace(FACE, right_eye=(130.0, 120.0)).roll_deg == pytest.approx(45)
    assert replace(FACE, left_eye=FACE.right_eye, right_eye=FACE.left_eye).roll_deg == pytest.approx(180)


def test_a_cut_is_as_fine_as_the_face_and_never_finer_than_its_sums_can_hold() -> None:
    assert native_px(FACE, 64) == 128  # 40 pixels between the eyes make a square of 143
    assert native_px(scale_face(FACE, 0.2), 64) == 64
    assert native_px(scale_face(FACE, 100), 64) == 64 * MOST_TIMES


def test_a_face_scaled_and_shifted_there_and_back_is_where_it_was() -> None:
    there = shift_face(scale_face(FACE, 3.0), 7, -5)
    back = scale_face(shift_face(there, -7, 5), 1 / 3)
    assert back.box == FACE.box
    assert (*back.left_eye, *back.right_eye) == pytest.approx((*FACE.left_eye, *FACE.right_eye))
    assert there.eye_distance_px == pytest.approx(3 * FACE.eye_distance_px)


@pytest.mark.parametrize("x", [110.0, 0.0, 199.0, -400.0])
def test_a_photo_of_one_colour_gives_a_portrait_of_it_wherever_the_face_is(x: float) -> None:
    photo = np.full((150, 200, 3), (255, 0, 51), np.uint8)
    portrait = cut_portrait(photo, replace(FACE, left_eye=(x - 20, 80.0), right_eye=(x + 20, 80.0)), 32)
    assert portrait.amin(dim=(0, 2, 3)).tolist() == pytest.approx([1.0, -1.0, -0.6])
    assert portrait.amax(dim=(0, 2, 3)).tolist() == pytest.approx([1.0, -1.0, -0.6])


def test_a_batch_holds_each_portrait_as_it_is_alone() -> None:
    photos = [np.random.default_rng(seed).integers(0, 256, (150, 200, 3), dtype=np.uint8) for seed in (0, 1)]
    faces = [FACE, scale_face(FACE, 0.7)]
    batch = stack_portraits(photos, faces, 32)
    for row, photo, face in zip(batch, photos, faces, strict=True):
        assert torch.equal(row[None], cut_portrait(photo, face, 32))


def test_a_change_beyond_the_photo_moves_nothing_and_one_at_its_corner_ends_there() -> None:
    photo, change = np.full((150, 200, 3), 100, np.uint8), torch.full((3, 64, 64), 0.1)
    assert np.array_equal(paste_change(photo, shift_face(FACE, 0, -400), change), photo)
    moved = paste_change(photo, shift_face(FACE, -110, -80), change)
    assert moved[0, 0].tolist() == [113, 113, 113]
    assert (moved[100:, 150:] == 100).all()


def test_a_change_too_small_for_a_byte_moves_nothing_and_a_large_one_stops_at_white() -> None:
    photo = np.full((150, 200, 3), 250, np.uint8)
    assert np.array_equal(paste_change(photo, FACE, torch.full((3, 64, 64), 0.003)), photo)
    assert paste_change(photo, FACE, torch.full((3, 64, 64), 1.0)).max() == 255


def test_without_changes_the_photo_comes_back_as_a_copy() -> None:
    photo = np.full((15, 20, 3), 7, np.uint8)
    copy = paste_changes(photo, [])
    assert np.array_equal(copy, photo)
    assert copy is not photo
