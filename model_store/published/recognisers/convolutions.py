"""What every foreign file is read into: convolutions in the order in which they act, batch norms folded in."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from diffam_core.networks.released import Layer, layers_of
from model_store.errors import CheckpointUnknown

Weights = NDArray[np.float32]


@dataclass(frozen=True)
class Convolution:
    """Weights `(out, in / groups, k, k)`, bias, and the slopes of a PReLU behind them."""

    weight: Weights
    bias: Weights
    slope: Weights | None = None

    def scaled(self, factor: Weights, shift: Weights) -> "Convolution":
        """With `y * factor + shift`, per channel, behind it."""
        wide = factor.reshape(-1, *[1] * (self.weight.ndim - 1))
        return replace(self, weight=self.weight * wide, bias=self.bias * factor + shift)


def norm_factors(
    gamma: Weights, beta: Weights, mean: Weights, variance: Weights, eps: float
) -> tuple[Weights, Weights]:
    """Factor and shift of a batch norm at inference."""
    factor = (gamma / np.sqrt(variance.astype(np.float64) + eps)).astype(np.float32)
    return factor, beta - mean * factor


def fill(network: nn.Module, found: Sequence[Convolution]) -> None:
    """Put convolutions into the layers of a network. Raises CheckpointUnknown where they are other ones."""
    layers = layers_of(network)
    if len(layers) != len(found):
        raise CheckpointUnknown(f"it has {len(found)} convolutions, {len(layers)} were expected")
    for place, (layer, convolution) in enumerate(zip(layers, found, strict=True)):
        _fill(layer, convolution, place)


def _fill(layer: Layer, found: Convolution, place: int) -> None:
    weights = [(layer.conv.weight, found.weight), (layer.conv.bias, found.bias)]
    has_slope = isinstance(layer.activation, nn.PReLU)
    if has_slope != (found.slope is not None):
        raise CheckpointUnknown(f"convolution {place} has {'no' if has_slope else 'a'} PReLU behind it")
    if isinstance(layer.activation, nn.PReLU) and found.slope is not None:
        weights.append((layer.activation.weight, found.slope))
    for parameter, values in weights:
        put(parameter, values, f"convolution {place}")


def put(parameter: torch.Tensor | None, values: Weights, name: str) -> None:
    """Overwrite a parameter. Raises CheckpointUnknown for another shape, or values that are no numbers."""
    if parameter is None or tuple(parameter.shape) != values.shape:
        expected = None if parameter is None else tuple(parameter.shape)
        raise CheckpointUnknown(f"{name} has the shape {values.shape}, {expected} was expected")
    if not np.isfinite(values).all():
        raise CheckpointUnknown(f"{name} holds values that are no numbers")
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(np.array(values, np.float32)))
