"""How exactly the method computes: as the bundle asks, where the hardware can."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from peft.tuners.lora import LoraLayer

from diffam_core import generation as protect
from diffam_core.models import Models
from diffam_core.styles import add_full_style, add_style, remove_style, style_parameters
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


@pytest.fixture(params=["lora", "full"])
def style(models: Models, request: pytest.FixtureRequest) -> Iterator[str]:
    """A style of either kind that changes something."""
    if request.param == "lora":
        add_style(models.eps, "bold", rank=4)
    else:
        add_full_style(models.eps, "bold")
    noise = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in style_parameters(models.eps, "bold"):
            parameter.add_(0.03 * torch.randn(parameter.shape, generator=noise)).requires_grad_(False)
    yield "bold"
    remove_style(models.eps, "bold")


@pytest.fixture(scope="module")
def latent(models: Models, portraits: torch.Tensor) -> torch.Tensor:
    """One face, four times."""
    return protect.latents(models, portraits[:1]).expand(4, -1, -1, -1)


@torch.no_grad()
def test_every_row_wears_its_own_strength(models: Models, latent: torch.Tensor, style: str) -> None:
    base, whole = (protect.generate(models, latent, name) for name in (None, style))
    worn = protect.generate(models, latent, style, strengths=torch.tensor([0.0, 0.3, 0.6, 1.0]))
    assert torch.equal(worn[0], base[0])
    assert torch.equal(worn[3], whole[3])
    seen = (worn - base).square().mean(dim=(1, 2, 3))
    assert (seen.diff() > 0).all()


@torch.no_grad()
def test_a_strength_is_forgotten_after_the_call_even_if_it_fails(
    models: Models, latent: torch.Tensor, style: str
) -> None:
    whole = protect.generate(models, latent, style)
    nowhere = torch.full((len(latent),), 0.5, device="meta")
    with pytest.raises(RuntimeError):
        protect.generate(models, latent, style, strengths=nowhere)
    assert torch.equal(protect.generate(models, latent, style), whole)
    for layer in models.eps.modules():
        if isinstance(layer, LoraLayer):
            assert all(isinstance(scale, float) for scale in layer.scaling.values())


def test_gradients_flow_through_a_weakened_style_that_is_computed_again_to_save_memory(
    models: Models, latent: torch.Tensor, style: str
) -> None:
    gradients = []
    for is_saving_memory in (False, True):
        parameters = style_parameters(models.eps, style)
        worn = protect.generate(
            models, latent[:1], style, is_saving_memory=is_saving_memory, strengths=torch.tensor([0.4])
        )
        gradients.append(torch.autograd.grad(worn.square().mean(), parameters, allow_unused=True))
    assert any(plain is not None and bool(plain.any()) for plain in gradients[0])
    for plain, again in zip(*gradients, strict=True):
        assert (plain is None and again is None) or torch.allclose(plain, again, atol=1e-6)
