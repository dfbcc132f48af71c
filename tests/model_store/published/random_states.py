"""Checkpoints of the published keys and shapes with random values, such that outputs stay finite and say something."""

import math

import torch
from torch import Tensor

from model_store.published.layouts import Layout, layouts

GAINS = {"ir152": 0.35, "irse50": 0.6, "facenet": 2.0}
"""Variance of a convolution's output over its input's: outputs neither explode nor die after so many layers."""


def layout(name: str) -> Layout:
    return next(layout for layout in layouts() if layout.name == name)


def random_state(layout: Layout, seed: int = 0) -> dict[str, Tensor]:
    """Weights scaled by their fan-in; norms around 1, variances positive, PReLU's slopes around a quarter.

    Without BatchNorm's counters, as many published files are.
    """
    generator = torch.Generator().manual_seed(seed)
    convolution = GAINS.get(layout.name, 1.0)
    state = {}
    for key, shape in layout.shapes.items():
        noise = torch.randn(shape, generator=generator)
        if len(shape) > 1:
            gain = convolution if len(shape) == 4 else 1.0
            state[key] = noise * math.sqrt(gain / math.prod(shape[1:]))
        elif key.endswith("running_var"):
            state[key] = 1 + 0.4 * noise.tanh()
        elif key.endswith("weight"):
            is_slope = key.removesuffix("weight") + "bias" not in layout.shapes
            state[key] = (0.25 if is_slope else 1.0) + 0.1 * noise
        else:
            state[key] = 0.1 * noise
    return state
