"""Scores: cosines between embeddings, decided at the threshold, and the visible distance of two views."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor, nn

from diffam_core.images import to_portrait
from diffam_core.models import Models, Recogniser
from diffam_core.score import Cosines, compare, embed, matches, psnr_db, quality, ssim
from model_store.bundle import Bundle


class Mean(nn.Module):
    """A recogniser that sees the mean colour alone: small enough to compute by hand."""

    def forward(self, portraits: Tensor) -> Tensor:
        return portraits.mean(dim=(2, 3))


def coloured(*colours: tuple[float, float, float]) -> Tensor:
    return torch.tensor(colours).view(-1, 3, 1, 1).expand(-1, 3, 16, 16).contiguous()


@pytest.fixture(scope="module")
def models(bundle: Bundle) -> Models:
    """The bundle's, judged by colour."""
    return replace(bundle.models, recognisers={"colour": Recogniser("colour", Mean(), 8, {"0.01": 0.7})})


def test_embeddings_have_unit_length_at_any_size_of_portrait(models: Models) -> None:
    seen = embed(models, torch.cat([coloured((0.3, 0.0, 0.4), (0.0, 0.0, -0.1))]))["colour"]
    assert seen.tolist() == [pytest.approx([0.6, 0.0, 0.8]), pytest.approx([0.0, 0.0, -1.0])]
    larger = torch.nn.functional.interpolate(coloured((0.3, 0.0, 0.4)), 24)
    assert embed(models, larger)["colour"][0].tolist() == pytest.approx([0.6, 0.0, 0.8])


def test_a_protected_face_is_compared_with_its_owner_and_with_the_target(models: Models) -> None:
    views = coloured((0.5, 0.0, 0.0), (0.0, 0.3, 0.0))
    first, second = matches(models, coloured((0.2, 0.0, 0.0)), views, coloured((0.3, 0.4, 0.0)))
    kept, hidden = first["colour"], second["colour"]
    assert (kept.own_before, kept.own_after, hidden.own_after) == pytest.approx((1, 1, 0))
    assert (kept.target_before, kept.target_after, hidden.target_after) == pytest.approx((0.6, 0.6, 0.8))
    assert (kept.is_dodged, kept.is_impersonating) == (False, False)
    assert (hidden.is_dodged, hidden.is_impersonating) == (True, True)


def test_faces_of_several_owners_are_compared_each_with_its_own(models: Models) -> None:
    people = embed(models, coloured((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)))
    aim = embed(models, coloured((0.0, 0.0, 1.0)))
    found = compare(models.recognisers, people, people, aim)
    assert [match["colour"].own_after for match in found] == pytest.approx([1, 1])
    crossed = compare(models.recognisers, people, {"colour": people["colour"].flip(0)}, aim)
    assert [match["colour"].own_after for match in crossed] == pytest.approx([0, 0])


def test_exactly_at_the_threshold_a_face_matches() -> None:
    match = Cosines(own_before=1.0, own_after=0.5, target_before=0.0, target_after=0.5, threshold=0.5)
    assert not match.is_dodged
    assert match.is_impersonating


def test_quality_falls_with_the_change_and_psnr_is_that_of_the_mean_square(bundle: Bundle) -> None:
    before = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(0)) - 0.5
    same, near, far = (quality(bundle.models, before, before + shift) for shift in (0.0, 0.02, 0.2))
    assert (same.ssim, same.lpips) == pytest.approx((1, 0))
    assert (near.psnr_db, far.psnr_db) == pytest.approx((40, 20), abs=1e-3)  # 10 log10(4 / shift ** 2)
    assert same.ssim >= near.ssim > far.ssim
    assert near.lpips < far.lpips


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
