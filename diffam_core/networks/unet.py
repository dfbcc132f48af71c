"""The noise predictor: a diffusers `UNet2DModel`, optionally behind pixel-unshuffle to stay cheap."""

from collections.abc import Callable
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional


class EpsModel(nn.Module):
    """The noise in `x_t` at `timesteps`, as a network predicts it.

    A UNet that also learned sigma has twice the channels; only the noise is returned.

    unshuffle: factor by which space is folded into channels before the UNet and unfolded after it; 1 leaves it alone.
    config: keyword arguments of `UNet2DModel`; channels are those after unshuffling.
    full_styles: whole networks fine-tuned from this one, by name; not part of its state dict, but moved with it.
    digests: of the files that styles came from, by name, where that is known.
    """

    def __init__(self, unshuffle: int, config: dict[str, Any]) -> None:
        from diffusers import UNet2DModel  # here: a process that builds no network does without

        super().__init__()
        self.unshuffle, self.config = unshuffle, config
        self.full_styles: dict[str, EpsModel] = {}
        self.digests: dict[str, str] = {}
        self.unet = UNet2DModel(**config)

    def forward(
        self, x_t: Float[Tensor, "batch 3 height width"], timesteps: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch 3 height width"]:
        folded = functional.pixel_unshuffle(x_t, self.unshuffle)
        eps: Tensor = self.unet(folded, timesteps).sample
        return functional.pixel_shuffle(eps[:, : folded.shape[1]], self.unshuffle)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "EpsModel":
        for network in self.full_styles.values():
            network._apply(fn, recurse)
        nn.Module._apply(self, fn, recurse)
        return self
