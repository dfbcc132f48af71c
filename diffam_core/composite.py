"""How a protected portrait's change is made ready for the full-size photo; training and product share these lines."""

from collections.abc import Collection
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from diffam_core.networks.parser import region as region_of

Region = Literal["lips", "eyes", "skin"]
REGIONS: frozenset[Region] = frozenset({"lips", "eyes", "skin"})
"""Where make-up may go; together they are the whole face."""
GROW = {"lips": 2, "eyes": 4}
"""Pixels of a 64-pixel portrait by which make-up exceeds the parser's region: eye shadow lies above the eye."""


def feather(
    face: Float[Tensor, "batch 1 size size"],
    grow: int = 5,
    soften: tuple[int, int] = (7, 9),
    border: int = 5,
) -> Float[Tensor, "batch 1 size size"]:
    """A soft mask in [0, 1] from a face mask: grown, blurred twice, and 0 at the portrait's border.

    Widths are in pixels of a 64-pixel portrait and grow with it, so that every bundle feathers the same share of the
    face. A mask tight at the hairline would cut off what the recognisers react to.
    """
    size = face.shape[-1]
    reach = grow * size // 128
    grown = functional.max_pool2d(face, 2 * reach + 1, 1, reach)
    for width in soften:
        reach = width * size // 128
        grown = functional.avg_pool2d(grown, 2 * reach + 1, 1, reach, count_include_pad=False)
    ramp = face.new_tensor([64 * min(i, size - 1 - i) / (border * size) for i in range(size)]).clamp(0, 1)
    return grown * ramp.view(1, 1, 1, -1) * ramp.view(1, 1, -1, 1)


def low_pass(residual: Float[Tensor, "batch 3 size size"]) -> Float[Tensor, "batch 3 size size"]:
    """[1 2 1]/4 along both axes: takes the finest checkerboard out of a network's residual."""
    taps = residual.new_tensor([0.25, 0.5, 0.25])
    kernel = (taps[:, None] * taps[None, :]).expand(residual.shape[1], 1, 3, 3)
    padded = functional.pad(residual, (1, 1, 1, 1), mode="replicate")
    return functional.conv2d(padded, kernel, groups=residual.shape[1])


def change(
    residual: Float[Tensor, "batch 3 size size"],
    face: Float[Tensor, "batch 1 size size"],
    size_px: int,
    weights: Float[Tensor, "batch 1 size size"] | None = None,
) -> Float[Tensor, "batch 3 {size_px} {size_px}"]:
    """What to add to a `size_px` view of the photo: what the style changed, smooth, feathered, exactly 0 outside.

    residual: the same latent denoised with the style minus without it.
    face: the parser's face probability.
    weights: how much of the change goes where, in [0, 1], as from `region_weights`; all of it without them.
    """
    residual = low_pass(residual) * feather(face)
    if weights is not None:
        residual = residual * weights
    if size_px == residual.shape[-1]:
        return residual
    enlarged = functional.interpolate(residual, size_px, mode="bicubic", align_corners=False)
    reach = functional.interpolate(feather(face), size_px, mode="nearest") > 0
    return enlarged * reach


def region_weights(
    regions: Float[Tensor, "batch channels size size"], chosen: Collection[Region]
) -> Float[Tensor, "batch 1 size size"]:
    """How much of a change goes where when only some regions wear it, in [0, 1]; the regions' weights add up to 1.

    Lips and eyes end softly; skin is the rest. With all of them chosen the weight is exactly 1 everywhere.

    regions: the parser's probabilities.
    """
    lips, eyes = (_grown(regions, name) for name in ("lips", "eyes"))
    eyes = torch.minimum(eyes, 1 - lips)
    parts: dict[Region, Tensor] = {"lips": lips, "eyes": eyes, "skin": 1 - lips - eyes}
    weights = torch.ones_like(lips)
    for name, part in parts.items():
        if name not in chosen:
            weights = weights - part
    return weights.clamp(0, 1)


def _grown(regions: Float[Tensor, "batch channels size size"], name: str) -> Float[Tensor, "batch 1 size size"]:
    """A region of the parser, grown and then softened by one pixel of a 64-pixel portrait.

    A parser that is only nearly sure, as on bare lips, must not leave a tenth of the make-up where none is wanted.
    """
    region = (region_of(regions, name) > 0.5).float()
    reach, soft = (pixels * region.shape[-1] // 64 for pixels in (GROW[name], 1))
    grown = functional.max_pool2d(region, 2 * reach + 1, 1, reach)
    return functional.avg_pool2d(grown, 2 * soft + 1, 1, soft, count_include_pad=False)


def face_probability(
    parser: nn.Module, portraits: Float[Tensor, "batch 3 size size"]
) -> Float[Tensor, "batch 1 size size"]:
    """The parser's face channel as probability."""
    regions: Tensor = parser(portraits).sigmoid()
    return region_of(regions, "face")
