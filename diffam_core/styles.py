"""Styles as LoRA adapters on the noise predictor: added by name, selected by name, none selected is the base model."""

import warnings

import torch
from peft import LoraConfig, get_peft_model_state_dict, inject_adapter_in_model, set_peft_model_state_dict
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn

from diffam_core.networks.unet import EpsModel

TARGET_MODULES = ["conv1", "conv2", "conv_shortcut", "to_q", "to_k", "to_v", "to_out.0"]
"""The layers of a `UNet2DModel` that a style may change: attention and residual convolutions."""


def add_style(eps: EpsModel, name: str, rank: int, weights: dict[str, Tensor] | None = None) -> None:
    """Attach a style. Without `weights` it is untrained and changes nothing; names must not contain a dot.

    Raises ValueError when the weights do not fit this network.
    """
    config = LoraConfig(r=rank, lora_alpha=rank, target_modules=TARGET_MODULES, init_lora_weights=True)
    with warnings.catch_warnings():  # several adapters in one model are exactly what is meant
        warnings.filterwarnings("ignore", message="Already found a `peft_config`")
        inject_adapter_in_model(config, eps.unet, adapter_name=name)
    if weights is not None:
        result = set_peft_model_state_dict(eps.unet, weights, adapter_name=name)
        own = set(get_peft_model_state_dict(eps.unet, adapter_name=name))
        if result.unexpected_keys or own != set(weights):
            raise ValueError(f"style {name!r} was not trained for this network")
    eps.requires_grad_(False)
    select_style(eps, None)


def select_style(eps: EpsModel, name: str | None) -> None:
    """Use one style, or with None the base model, from now on; it takes gradients where gradients are recorded."""
    for module in eps.modules():
        if isinstance(module, BaseTunerLayer):
            module.enable_adapters(name is not None)
            if name is not None:
                module.set_adapter(name, inference_mode=not torch.is_grad_enabled())


def style_weights(eps: EpsModel, name: str) -> dict[str, Tensor]:
    """The weights of one style, to be stored and later handed to `add_style`."""
    weights: dict[str, Tensor] = get_peft_model_state_dict(eps.unet, adapter_name=name)
    return {key: value.detach().cpu().contiguous() for key, value in weights.items()}


def style_parameters(eps: EpsModel, name: str) -> list[nn.Parameter]:
    """The trainable tensors of one style, gradients switched on."""
    parameters = [p for key, p in eps.named_parameters() if f".{name}." in key]
    for parameter in parameters:
        parameter.requires_grad_(True)
    return parameters
