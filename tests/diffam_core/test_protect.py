"""How exactly the method computes: as the bundle asks, where the hardware can."""

from dataclasses import replace

import pytest
import torch

from diffam_core import protect
from diffam_core.models import Models
from model_store.bundle import load_models, read_picture
from model_store.catalog import BUNDLES, read_manifest


@pytest.fixture(scope="module")
def models() -> Models:
    """The shipped networks, asked to be brisk."""
    folder = BUNDLES / "mini"
    exact = load_models(folder, read_manifest(folder))
    return replace(exact, process=replace(exact.process, precision="bfloat16"))


@pytest.fixture(scope="module")
def portraits() -> torch.Tensor:
    """Two faces."""
    pictures = [read_picture(BUNDLES / f"mini/targets/{name}_0.png") for name in ("aurora", "bruno")]
    return torch.nn.functional.interpolate(torch.cat(pictures), 64, mode="area")


def _round_trip(models: Models, portraits: torch.Tensor) -> tuple[torch.Tensor, set[torch.dtype]]:
    seen = set()
    hook = models.eps.unet.conv_in.register_forward_hook(lambda _module, _inputs, out: seen.add(out.dtype))
    try:
        with torch.inference_mode(), protect.autocast(models):
            return protect.generate(models, protect.latents(models, portraits), None), seen
    finally:
        hook.remove()


@pytest.mark.parametrize(("has_it", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_bfloat16_is_used_where_the_hardware_has_it(
    models: Models, portraits: torch.Tensor, monkeypatch: pytest.MonkeyPatch, has_it: bool, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(protect, "has_bfloat16", lambda _device: has_it)
    again, seen = _round_trip(models, portraits)
    assert seen == {dtype}
    assert again.dtype == torch.float32
    assert float((again - portraits).square().mean()) < 4 / 10**3.5  # 35 dB


def test_a_bundle_that_asks_for_nothing_computes_exactly(
    models: Models, portraits: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protect, "has_bfloat16", lambda _device: True)
    exact = replace(models, process=replace(models.process, precision="float32"))
    assert _round_trip(exact, portraits)[1] == {torch.float32}
