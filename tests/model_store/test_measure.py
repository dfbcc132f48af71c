"""The bundle's card, measured again on a few fresh people: bars a little below those of the full measurement."""

import json

import pytest

from model_store.bundle import Bundle
from model_store.miniature.measure import Figures, measure_bundle


@pytest.fixture(scope="module")
def figures(bundle: Bundle) -> Figures:
    return measure_bundle(bundle, identities=30, seed=7, on_measure=lambda *_: None, removals=4)


def test_figures_are_json(figures: Figures) -> None:
    assert json.loads(json.dumps(figures)) == figures


def test_recognisers_tell_strangers_apart(figures: Figures) -> None:
    for name, row in figures["recognisers"].items():
        assert row["tar_at_far_0.01"] >= 0.93, name
        assert row["far_at_shipped_threshold"] <= 0.025, name


def test_the_unet_predicts_noise_and_finds_faces_in_it(figures: Figures) -> None:
    assert figures["unet"]["eps_mse_t60"] <= 0.16
    assert figures["unet"]["eps_mse_t300"] <= 0.06
    assert figures["unet"]["noise_to_face_psnr_t60_db"] >= 27


def test_clip_parser_and_detector_see_what_was_drawn(figures: Figures) -> None:
    assert figures["clip"]["zero_shot_makeup"] >= 0.95
    assert figures["parser"]["iou_lips"] >= 0.68
    assert figures["parser"]["iou_eyes"] >= 0.68
    assert figures["parser"]["iou_skin"] >= 0.90
    assert figures["detector"]["recall"] >= 0.95
