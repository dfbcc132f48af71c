"""Likeness is that of the libraries the field takes, on the same bytes."""

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from diffam_core.images import to_portrait
from diffam_core.score import psnr_db, ssim


@pytest.mark.parametrize("brightness", [40, 200])
def test_likeness_is_what_scikit_image_finds_on_the_same_bytes(brightness: int) -> None:
    chance = np.random.default_rng(0)
    photo = np.clip(chance.normal(brightness, 30, (96, 80, 3)), 0, 255).astype(np.uint8)
    worn = np.clip(photo + chance.normal(4, 6, photo.shape), 0, 255).astype(np.uint8)
    pair = to_portrait(worn), to_portrait(photo)
    assert float(psnr_db(*pair)) == pytest.approx(peak_signal_noise_ratio(photo, worn, data_range=255), abs=1e-3)
    expected = structural_similarity(
        photo, worn, channel_axis=2, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert float(ssim(*pair)) == pytest.approx(expected, abs=1e-4)


def test_pictures_are_compared_each_with_its_own() -> None:
    pictures = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = ssim(pictures, torch.stack([pictures[0], pictures[0]]))
    assert found[0] == pytest.approx(1)
    assert found[1] < 0.5
    assert psnr_db(pictures, pictures).isinf().all()
