"""The noise predictor: a diffusers `UNet2DModel`, optionally behind pixel-unshuffle to stay cheap."""

from typing import Any

from diffusers import UNet2DModel
from torch import Tensor, nn
from torch.nn import functional


class EpsModel(nn.Module):
    """`eps(x_t (batch, 3, s, s), timesteps (batch,))` -> predicted noise of the same shape.

    unshuffle: factor by which space is folded into channels before the UNet and unfolded after it; 1 leaves it alone.
    config: keyword arguments of `UNet2DModel`; channels are those after unshuffling.
    """

    def __init__(self, unshuffle: int, config: dict[str, Any]) -> None:
        super().__init__()
        self.unshuffle = unshuffle
        self.unet = UNet2DModel(**config)

    def forward(self, x_t: Tensor, timesteps: Tensor) -> Tensor:
        folded = functional.pixel_unshuffle(x_t, self.unshuffle)
        eps: Tensor = self.unet(folded, timesteps).sample
        return functional.pixel_shuffle(eps, self.unshuffle)
