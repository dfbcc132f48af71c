"""How a style in training looks, and that looking changes nothing."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from diffam_core.styles import add_style, style_parameters
from diffam_core.tuning import OnLoss, ignore_loss
from model_store.bundle import Bundle, read_weights
from model_store.training.contact_sheet import FACES, ContactSheet
from model_store.training.fine_tuning import IN_TRAINING
from model_store.training.new_reference import add_reference
from model_store.training.new_style import fine_tune_style
from tests.model_store.training.test_new_style import FEW, ORDER, SHORT, elsewhere, own

__all__ = ["own"]


def halves(sheet: bytes) -> tuple[np.ndarray, np.ndarray]:
    """The people as they are, and in the style."""
    pixels = np.array(Image.open(BytesIO(sheet))).astype(float)
    return pixels[: len(pixels) // 2], pixels[len(pixels) // 2 :]


def test_the_same_people_are_shown_above_and_below_them_the_style_as_it_is_now(own: Bundle) -> None:
    models = elsewhere(own).models
    add_style(models.eps, IN_TRAINING, own.rank)
    sheet = ContactSheet(models)
    untrained = halves(sheet.wearing(IN_TRAINING))
    assert untrained[0].shape == (own.models.portrait_px, FACES * own.models.portrait_px, 3)
    with torch.no_grad():
        for parameter in style_parameters(models.eps, IN_TRAINING):
            parameter.add_(0.1)
    trained = halves(sheet.wearing(IN_TRAINING))
    assert np.abs(trained[0] - untrained[0]).mean() < 1  # JPEG mixes what meets
    assert np.abs(trained[1] - untrained[1]).mean() > 5


def trained(bundle: Bundle, look: bytes, bare: bytes, on_loss: OnLoss) -> dict[str, torch.Tensor]:
    """The weights of a short training."""
    add_reference(bundle, "dusk", look, bare)
    return read_weights(fine_tune_style(bundle, ORDER, SHORT, FEW, on_loss).file)


def test_a_training_that_is_looked_at_ends_as_one_that_is_not(
    own: Bundle, look: bytes, bare: bytes, tmp_path: Path
) -> None:
    watched, alone = (replace(elsewhere(own), added=tmp_path / name) for name in ("watched", "alone"))
    sheets: list[bytes] = []

    def watch(_step: int, _steps: int, _terms: dict[str, float]) -> None:
        sheets.append(ContactSheet(watched.models).wearing(IN_TRAINING))

    ends = [trained(watched, look, bare, watch), trained(alone, look, bare, ignore_loss)]
    assert len(set(sheets)) > 1
    assert ends[0].keys() == ends[1].keys()
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[0])
