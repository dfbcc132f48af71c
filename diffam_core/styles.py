"""Styles of the noise predictor, by name: LoRA adapters inside it or whole networks beside it; None is the base.

peft is imported where it acts: it takes seconds, and a process that opens no bundle does without.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor, nn

from diffam_core.diffusion import Eps
from diffam_core.networks.unet import EpsModel

if TYPE_CHECKING:
    from peft.tuners.lora import LoraLayer

TARGET_MODULES = ["conv1", "conv2", "conv_shortcut", "to_q", "to_k", "to_v", "to_out.0"]
"""The layers of a `UNet2DModel` that a style may change: attention and residual convolutions."""


def add_style(eps: EpsModel, name: str, rank: int, weights: dict[str, Tensor] | None = None) -> None:
    """Attach a style. Without `weights` it is untrained and changes nothing; names must not contain a dot.

    Raises ValueError when the weights do not fit this network.
    """
    from peft import LoraConfig, get_peft_model_state_dict, inject_adapter_in_model, set_peft_model_state_dict

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


def add_full_style(
    eps: EpsModel, name: str, weights: dict[str, Tensor] | None = None, base: EpsModel | None = None
) -> None:
    """Attach a style that is a whole network, as in the paper. Without `weights` it is a copy of `base`.

    base: a network of the style's form; by default the base model.  Raises ValueError when the weights do not fit it.
    """
    base = base or eps
    network = EpsModel(base.unshuffle, base.config)
    try:
        network.load_state_dict(_base_weights(base) if weights is None else weights, strict=True)
    except RuntimeError as error:
        raise ValueError(f"style {name!r} was not trained for this network") from error
    eps.full_styles[name] = network.to(next(eps.parameters()).device).eval().requires_grad_(False)


def remove_style(eps: EpsModel, name: str) -> None:
    """Take a style off again; the base model is selected."""
    eps.digests.pop(name, None)
    if name in eps.full_styles:
        del eps.full_styles[name]
        return
    with warnings.catch_warnings():  # another one becomes the active adapter, but none stays selected
        warnings.filterwarnings("ignore", message="Adapter .* was active which is now deleted")
        for layer in _lora_layers(eps):
            layer.delete_adapter(name)
    eps.unet.peft_config.pop(name, None)
    select_style(eps, None)


def _lora_layers(eps: EpsModel) -> list["LoraLayer"]:
    """The layers that adapters were put into."""
    from peft.tuners.lora import LoraLayer

    return [module for module in eps.modules() if isinstance(module, LoraLayer)]


def _base_weights(eps: EpsModel) -> dict[str, Tensor]:
    """The state dict as it was before adapters were injected."""
    state = eps.state_dict()
    return {key.replace(".base_layer", ""): value for key, value in state.items() if ".lora_" not in key}


def has_style(eps: EpsModel, name: str) -> bool:
    """Whether a style of this name is attached."""
    return name in eps.full_styles or name in getattr(eps.unet, "peft_config", {})


def predictor(eps: EpsModel, name: str | None) -> EpsModel:
    """The network to call for a style, its adapter selected; with None the base model. Raises KeyError when unknown."""
    if name in eps.full_styles:
        return eps.full_styles[name]
    if name is not None and not has_style(eps, name):
        raise KeyError(f"no style {name!r} is attached")
    select_style(eps, name)
    return eps


def predictor_at(eps: EpsModel, name: str, strengths: Float[Tensor, " batch"]) -> Eps:
    """What to call for a style at a strength in [0, 1] per row; at 1 the style, at 0 the base model, to the last bit.

    LoRA is scaled; a whole network's prediction is blended with the base model's. Raises KeyError when unknown.
    """
    network = predictor(eps, name)
    if network is eps:

        def scaled(x_t: Tensor, timesteps: Tensor) -> Tensor:
            with _lora_scaled(eps, name, strengths):
                predicted: Tensor = eps(x_t, timesteps)
            return predicted

        return scaled
    base, shares = predictor(eps, None), strengths.view(-1, 1, 1, 1)

    def blended(x_t: Tensor, timesteps: Tensor) -> Tensor:
        plain = base(x_t, timesteps)  # of lower precision than the strengths under autocast
        return torch.lerp(plain, network(x_t, timesteps), shares.to(plain.dtype))

    return blended


@contextmanager
def _lora_scaled(eps: EpsModel, name: str, strengths: Tensor) -> Iterator[None]:
    """Weaken one adapter row by row: peft multiplies a layer's update by `scaling`, which broadcasts."""
    layers = [layer for layer in _lora_layers(eps) if name in layer.scaling]
    before = [layer.scaling[name] for layer in layers]
    try:
        for layer, scale in zip(layers, before, strict=True):
            dims = 4 if isinstance(layer.get_base_layer(), nn.Conv2d) else 3
            layer.scaling[name] = scale * strengths.view(-1, *[1] * (dims - 1))
        yield
    finally:
        for layer, scale in zip(layers, before, strict=True):
            layer.scaling[name] = scale


def select_style(eps: EpsModel, name: str | None) -> None:
    """Use one style, or with None the base model, from now on; it takes gradients where gradients are recorded."""
    for layer in _lora_layers(eps):
        layer.enable_adapters(name is not None)
        if name is not None:
            layer.set_adapter(name, inference_mode=not torch.is_grad_enabled())


def style_weights(eps: EpsModel, name: str) -> dict[str, Tensor]:
    """The weights of one style, to be stored and later handed to `add_style` or `add_full_style`."""
    from peft import get_peft_model_state_dict

    is_full = name in eps.full_styles
    weights: dict[str, Tensor] = (
        eps.full_styles[name].state_dict() if is_full else get_peft_model_state_dict(eps.unet, adapter_name=name)
    )
    return {key: value.detach().cpu().contiguous() for key, value in weights.items()}


def style_parameters(eps: EpsModel, name: str) -> list[nn.Parameter]:
    """The trainable tensors of one style, gradients switched on."""
    if name in eps.full_styles:
        parameters = list(eps.full_styles[name].parameters())
    else:
        parameters = [p for key, p in eps.named_parameters() if f".{name}." in key]
    for parameter in parameters:
        parameter.requires_grad_(True)
    return parameters
