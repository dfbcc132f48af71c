"""Cascades see eyes; the rest of the face is where the template has it."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from diffam_core.faces.face import cut_portrait
from diffam_core.images import to_pixels
from evaluation.judged.cascade_look import cascade_look, points_from_eyes
from evaluation.subjects import Subjects
from protection.measuring.judging import FRAME, VIEW_PX

TEMPLATE = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
)
"""InsightFace's, in a crop of 112 pixels."""


@pytest.mark.parametrize("degrees", [0, 25, -40])
def test_nose_and_mouth_are_where_the_template_has_them_however_the_head_leans(degrees: float) -> None:
    turn = np.radians(degrees)
    rotation = 1.7 * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    placed: NDArray[np.float64] = TEMPLATE @ rotation.T + [30, 80]
    others = points_from_eyes(placed[0], placed[1])
    found = np.stack([others[name] for name in ("nose", "left_mouth", "right_mouth")])
    assert np.abs(found - placed[2:]).max() < 0.1


def test_a_face_in_a_wide_view_is_found_where_it_is_expected(subjects: Subjects) -> None:
    view = cut_portrait(subjects.photos[0], replace(subjects.found[0], framing=FRAME), VIEW_PX)
    finds = cascade_look(to_pixels(view[0]))
    middles = [(find.left_eye + find.right_eye) / 2 / VIEW_PX for find in finds]
    assert min(float(np.abs(middle - FRAME.eye_middle).max()) for middle in middles) < 0.03
    assert set(finds[0].others) == {"nose", "left_mouth", "right_mouth"}
