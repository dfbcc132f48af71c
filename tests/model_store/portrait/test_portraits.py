"""People to train on are found, framed and split the same way every time."""

from pathlib import Path

import numpy as np
import pytest
import torch

from diffam_core.faces.yunet import Yunet, portrayed
from diffam_core.images import to_pixels
from model_store.errors import DatasetMissing
from model_store.portrait.portraits import (
    CLOSE_PX,
    FRAMING,
    WIDE_PX,
    Portraits,
    close,
    cut_portraits,
    halved,
    is_held_out,
)
from model_store.rendered.portraits import to_float
from tests.model_store.portrait.conftest import NAMES
from tests.shipped import DETECTOR, Shipped

pytestmark = pytest.mark.xdist_group("shipped")


def test_everybody_with_a_face_is_there_and_a_picture_without_one_is_left_out(portraits: Portraits) -> None:
    assert set(portraits.names) == set(NAMES)
    assert portraits.wide.shape == (len(NAMES), 3, WIDE_PX, WIDE_PX)


def test_the_eyes_are_where_the_framing_says(portraits: Portraits, shipped: Shipped) -> None:
    finder = Yunet(shipped.file(DETECTOR))
    for picture in close(portraits.wide):
        find = portrayed(finder.faces(to_pixels(to_float(picture))), FRAMING, CLOSE_PX)
        assert find is not None
        middle = (find.left_eye + find.right_eye) / 2 / CLOSE_PX
        assert np.abs(middle - np.array(FRAMING.eye_middle)).max() < 0.03
        assert abs(np.ptp([find.left_eye[0], find.right_eye[0]]) / CLOSE_PX - FRAMING.eye_distance) < 0.03


def test_nobody_is_on_both_sides_of_the_split(portraits: Portraits) -> None:
    train, held_out = (portraits.rows(side).tolist() for side in (False, True))
    assert sorted(train + held_out) == list(range(len(NAMES)))
    assert portraits.names.index("ai/female_00") in train
    assert portraits.rows(held_out=True, folder="ai").tolist() == [portraits.names.index("ai/female_64")]


def test_about_a_fifth_of_the_people_without_numbers_is_held_out() -> None:
    assert 150 < sum(is_held_out(f"sfhq_t2i/Face_{number:03d}") for number in range(1000)) < 250


def test_half_a_picture_is_averaged() -> None:
    wide = torch.tensor([[[[0, 100], [200, 101]]]], dtype=torch.uint8)
    assert halved(wide).tolist() == [[[[100]]]]


def test_without_the_folders_it_says_which_one_is_missing(tmp_path: Path, shipped: Shipped) -> None:
    with pytest.raises(DatasetMissing, match=f"{tmp_path}/ai"):
        cut_portraits(tmp_path, shipped.file(DETECTOR), tmp_path / "x.safetensors", lambda *_: None)
