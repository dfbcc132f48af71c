"""Where lips, eyes, skin and face are: a small convolutional encoder-decoder for the regions that make-up uses."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn import functional

CHANNELS = ("lips", "eyes", "skin", "face")
"""What every parser tells, in this order. Eyes means the lids around them, without eyeball and brow."""
DETAILS = ("brows", "eyeballs", "mouth")
"""What a parser may tell besides, behind `CHANNELS`. Mouth is what is seen between the lips."""


def region(regions: Shaped[Tensor, "batch channels height width"], name: str) -> Shaped[Tensor, "batch 1 height width"]:
    """One region's channel of masks, or of what a parser tells.

    Raises ValueError for a name in neither `CHANNELS` nor `DETAILS`, and for a detail where there are none.
    """
    index = (*CHANNELS, *DETAILS).index(name)
    if index >= regions.shape[1]:
        raise ValueError(f"of {regions.shape[1]} channels none is {name}: this parser tells no details")
    return regions[:, index : index + 1]


def _double(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class FaceParser(nn.Module):
    """Portraits in [-1, 1] -> logits of `CHANNELS`, then of `DETAILS` if it tells them; size divisible by 8."""

    def __init__(self, widths: Sequence[int], details: bool = False) -> None:
        super().__init__()
        inputs = [3, *widths[:-1]]
        self.down = nn.ModuleList(_double(i, o) for i, o in zip(inputs, widths, strict=True))
        pairs = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.up = nn.ModuleList(_double(low + high, high) for low, high in pairs)
        self.output = nn.Conv2d(widths[0], len(CHANNELS) + len(DETAILS) * details, 1)

    def forward(self, x: Float[Tensor, "batch 3 size size"]) -> Float[Tensor, "batch channels size size"]:
        skips = []
        for index, block in enumerate(self.down):
            x = block(x if index == 0 else functional.max_pool2d(x, 2))
            skips.append(x)
        for block, skip in zip(self.up, skips[-2::-1], strict=True):
            x = block(torch.cat([functional.interpolate(x, scale_factor=2.0, mode="nearest"), skip], dim=1))
        out: Tensor = self.output(x)
        return out
