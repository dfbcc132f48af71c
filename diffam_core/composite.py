"""How a protected portrait's change is made ready for the full-size photo; training and product share these lines."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


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
) -> Float[Tensor, "batch 3 size_px size_px"]:
    """What to add to a `size_px` view of the photo: what the style changed, smooth, feathered, exactly 0 outside.

    residual: the same latent denoised with the style minus without it.
    face: the parser's face probability.
    """
    residual = low_pass(residual) * feather(face)
    if size_px == residual.shape[-1]:
        return residual
    enlarged = functional.interpolate(residual, size_px, mode="bicubic", align_corners=False)
    reach = functional.interpolate(feather(face), size_px, mode="nearest") > 0
    return enlarged * reach


def face_probability(parser: nn.Module, portraits: Float[Tensor, "batch 3 size size"]) -> Tensor:
    """The parser's face channel as probability `(batch, 1, size, size)`."""
    regions: Tensor = parser(portraits).sigmoid()
    return regions[:, 3:4]
