"""Networks that are a little other ones at every look: what misleads all of them misleads strangers more often."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn


@contextmanager
def wavering(network: nn.Module, generators: Sequence[torch.Generator], spread: float) -> Iterator[None]:
    """While open, the channels of every convolution are scaled by 1 + `spread` times Gaussian noise.

    generators: one per picture of the batches that the network sees, so that no picture's noise depends on the others.
    """

    def scale(_layer: nn.Module, _inputs: object, outputs: Tensor) -> Tensor:
        noise = [torch.randn(outputs.shape[1], generator=generator) for generator in generators]
        factors: Tensor = 1 + spread * torch.stack(noise).to(outputs)
        return outputs * factors[:, :, None, None]

    hooks = [layer.register_forward_hook(scale) for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
