"""LoRA styles: attached, selected, stored."""

import pytest
import torch

from diffam_core.networks.unet import EpsModel
from diffam_core.styles import add_style, select_style, style_parameters, style_weights
from model_store.miniature.diffusion import build_unet

X_T = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
TIMESTEPS = torch.tensor([30, 60])


@pytest.fixture
def eps() -> EpsModel:
    return build_unet().eval()


def _disturb(eps: EpsModel, name: str) -> None:
    with torch.no_grad():
        for parameter in style_parameters(eps, name):
            parameter.add_(0.05)


@torch.no_grad()
def test_an_untrained_style_changes_nothing(eps: EpsModel) -> None:
    before = eps(X_T, TIMESTEPS)
    add_style(eps, "rose", rank=4)
    select_style(eps, "rose")
    assert torch.equal(eps(X_T, TIMESTEPS), before)


@torch.no_grad()
def test_selecting_no_style_brings_the_base_model_back_to_the_last_bit(eps: EpsModel) -> None:
    before = eps(X_T, TIMESTEPS)
    add_style(eps, "rose", rank=4)
    add_style(eps, "ember", rank=4)
    _disturb(eps, "rose")
    select_style(eps, "rose")
    assert not torch.allclose(eps(X_T, TIMESTEPS), before, atol=1e-3)
    select_style(eps, "ember")
    assert torch.equal(eps(X_T, TIMESTEPS), before)
    select_style(eps, None)
    assert torch.equal(eps(X_T, TIMESTEPS), before)


@torch.no_grad()
def test_a_stored_style_does_the_same_on_another_copy_of_the_model(eps: EpsModel) -> None:
    add_style(eps, "rose", rank=4)
    _disturb(eps, "rose")
    select_style(eps, "rose")
    other = build_unet().eval()
    add_style(other, "anything", rank=4, weights=style_weights(eps, "rose"))
    select_style(other, "anything")
    assert torch.equal(other(X_T, TIMESTEPS), eps(X_T, TIMESTEPS))


def test_weights_of_another_network_are_refused(eps: EpsModel) -> None:
    with pytest.raises(ValueError, match="not trained for this network"):
        add_style(eps, "rose", rank=4, weights={"unet.nowhere.lora_A.weight": torch.zeros(4, 4)})


def test_only_the_selected_style_takes_gradients(eps: EpsModel) -> None:
    add_style(eps, "rose", rank=4)
    add_style(eps, "ember", rank=4)
    parameters = style_parameters(eps, "rose")
    select_style(eps, "rose")
    eps(X_T, TIMESTEPS).square().mean().backward()
    assert all(parameter.grad is not None for parameter in parameters)
    assert all(p.grad is None for key, p in eps.named_parameters() if ".rose." not in key)
