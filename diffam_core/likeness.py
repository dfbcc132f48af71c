"""How near one picture is to another, as the field reports it: pictures in [-1, 1], measured on [0, 1]."""

from typing import cast

from jaxtyping import Float
from torch import Tensor

Pictures = Float[Tensor, "batch 3 height width"]
PerPicture = Float[Tensor, " batch"]


def psnr_db(one: Pictures, other: Pictures) -> PerPicture:
    """Peak signal-to-noise ratio; infinite between pictures that are the same."""
    error = (one - other).square().mean(dim=(1, 2, 3))
    return 10 * (4 / error).log10()


def ssim(one: Pictures, other: Pictures) -> PerPicture:
    """Structural similarity (Wang et al., IEEE TIP 2004), 1 between pictures that are the same.

    Pictures are brought to [0, 1] first: around 0 the measure takes shades for structure.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure

    pair = ((one + 1) / 2, (other + 1) / 2)
    return cast(Tensor, structural_similarity_index_measure(*pair, data_range=1.0, reduction="none"))
