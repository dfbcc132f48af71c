"""Every term of both losses, each a function that gives the mean over a batch; `removal` and `transfer` add them up.

Both judge the composite that users get, not the bare portrait. x is the original, x' what came of it, E_I and E_T are
CLIP's image and text towers, f a recogniser, y the reference, y_0 its bare twin, z the target's picture, HM histogram
matching. DiffAM adds up L_MR, L_id and L_LPIPS (eq. 4-8), and L_MT, L_adv and L_vis (eq. 9-14).

| paper | term | function | equation | weight |
|---|---|---|---|---|
| L_MR | direction | `direction` | 1 - cos(E_I(x') - E_I(x), E_T(bare) - E_T(made up)) | 5 |
| L_id | identity | `identity` | 1 - cos(f(x'), f(x)) | 1 |
| L_LPIPS | perceptual | `perceptual` | LPIPS(x', x) | 1 |
| L_MT^dir | direction | `direction` | 1 - cos(E_I(x') - E_I(x), E_I(y) - E_I(y_0)) | 0.4 |
| L_MT^px | histogram | `histogram` | mean abs(x' - HM(x', y)), region by region | 7 |
| L_adv | impersonate | `impersonate` | 1 - cos(f(x'), f(z)), over surrogates and views (eq. 11) | 0 |
| L_vis | perceptual | `perceptual` | LPIPS(x', x) | 1 |
| L_vis | l1 | `l1` | mean abs(x' - x) | 3 |

Beyond the paper, in removal:

| term | function | what it asks for | weight |
|---|---|---|---|
| critics | `bareness` | as bare as bare pictures are, and not barer, in the eyes of several critics | 1 |
| l1 | `l1` | little change | 2 |
| total_variation | `total_variation` | a calm change | 4 |
| keep_bare | `l1` | bare faces stay as they are | 12 |

and in transfer:

| term | function | what it asks for | weight |
|---|---|---|---|
| dodge | `dodge` | away from the owner | 0 |
| total_variation | `total_variation` | a calm residual | 25 |
| outside | `outside` | silence outside the face | 5 |
| bare_skin | `bare_skin` | little change of skin without make-up, as the eye sees it | 25 |
| colour_cast | `colour_cast` | no tint there | 400 |
| psnr_hinge | `psnr_hinge` | a visual bar in dB | 2 |
| ssim_hinge | `ssim_hinge` | the same in hundredths of SSIM | 0 |

The weights of `impersonate` and `dodge` are those of a stage without an attack; recipes set them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from diffam_core.histogram import match_colours

REGION_WEIGHTS = {"lips": 1.0, "eyes": 1.0, "skin": 0.05}
"""What each region counts in the histogram term."""
DARK = 0.25
"""Added to the lightness in [0, 1] that a change is seen against: the eye judges relative changes (Weber's law)."""
MOUSTACHE = 4
"""Pixels of a 64-pixel portrait around the lips where bare skin counts three times: shade there is seen as a beard."""
SLACK, OVERSHOOT = 0.2, 1.0
"""Standard deviations of bare pictures' scores: tolerated towards make-up, and beyond bare."""
Images = Float[Tensor, "batch 3 height width"]
Embeddings = Float[Tensor, "batch dim"]
Mean = Float[Tensor, ""]


@dataclass(frozen=True)
class RemovalWeights:
    """What each term of removal counts; `direction` or `critics` is the objective's own."""

    direction: float = 5.0
    critics: float = 1.0
    identity: float = 1.0
    perceptual: float = 1.0
    l1: float = 2.0
    total_variation: float = 4.0
    keep_bare: float = 12.0


@dataclass(frozen=True)
class Weights:
    """What each term of transfer counts; 0 leaves it out. `impersonate` and `dodge` are L_adv."""

    histogram: float = 7.0
    direction: float = 0.4
    impersonate: float = 0.0
    dodge: float = 0.0
    perceptual: float = 1.0
    l1: float = 3.0
    total_variation: float = 25.0
    outside: float = 5.0
    bare_skin: float = 25.0
    colour_cast: float = 400.0
    psnr_hinge: float = 2.0
    ssim_hinge: float = 0.0


@dataclass(frozen=True)
class VisualBar:
    """The visible quality of a composite below which the hinges push back."""

    psnr_db: float = 28.5
    ssim: float = 0.94


def direction(moved: Embeddings, wanted: Float[Tensor, " dim"]) -> Mean:
    """How far pictures move in CLIP from where they should; `moved` is after minus before. In [0, 2]."""
    return (1 - functional.cosine_similarity(moved, wanted[None], dim=1, eps=1e-4)).mean()


def identity(seen: Embeddings, own: Embeddings) -> Mean:
    """How little unit embeddings still match their owners'. In [0, 2]."""
    return 1 - (seen * own).sum(dim=1).mean()


def perceptual(lpips: nn.Module, after: Images, before: Images) -> Mean:
    """LPIPS of pictures in [-1, 1]; 0 are the same."""
    return cast(Tensor, lpips(after, before)).mean()


def l1(after: Images, before: Images) -> Mean:
    """Mean absolute change."""
    return (after - before).abs().mean()


def histogram(
    after: Images,
    regions: Mapping[str, Bool[Tensor, "batch 1 height width"]],
    tables: Mapping[str, Float[Tensor, "3 points"]],
    weights: Mapping[str, float] = REGION_WEIGHTS,
) -> Mean:
    """Distance to oneself with the reference's colours, region by region.

    tables: the reference's colours, see `histogram.colour_table`.
    """
    total = after.new_zeros(())
    for name, weight in weights.items():
        region = regions[name]
        apart = (after - match_colours(after, region, tables[name])).abs() * region
        per_face = apart.sum(dim=(1, 2, 3)) / (3 * region.sum(dim=(1, 2, 3)).clamp(min=8))
        total = total + weight * per_face.mean()
    return total


def impersonate(seen: Embeddings, aim: Float[Tensor, " dim"]) -> Mean:
    """How little unit embeddings match the target's. In [0, 2]."""
    return (1 - seen @ aim).mean()


def dodge(seen: Embeddings, own: Embeddings) -> Mean:
    """How much unit embeddings still match their owners'; strangers are far enough. In [0, 1]."""
    return (seen * own).sum(dim=1).clamp(min=0).mean()


def bareness(scores: Float[Tensor, "batch pairs"]) -> Mean:
    """How far critics' standardised scores lie outside of what bare pictures get: 0 within SLACK and OVERSHOOT."""
    return ((scores - SLACK).clamp(min=0) + (-OVERSHOOT - scores).clamp(min=0)).mean()


def total_variation(residual: Images) -> Mean:
    """Mean absolute difference of neighbours, across and down."""
    return (residual.diff(dim=-1).abs().mean() + residual.diff(dim=-2).abs().mean()) / 2


def outside(residual: Images, face: Float[Tensor, "batch 1 height width"]) -> Mean:
    """Mean absolute residual where the parser sees no face."""
    return (residual.abs() * (1 - face)).mean()


def bare_skin(seen: Images, where: Float[Tensor, "batch 1 height width"]) -> Mean:
    """Mean square of a change as the eye sees it (`as_seen`), where make-up has no business (`bare_places`)."""
    return (seen.square() * where).mean()


def colour_cast(seen: Images, where: Float[Tensor, "batch 1 height width"]) -> Mean:
    """The same of its colour alone."""
    return ((seen - seen.mean(dim=1, keepdim=True)).square() * where).mean()


def as_seen(change: Images, portraits: Images) -> Images:
    """A change relative to the lightness that it is seen against."""
    lightness = (portraits.mean(dim=1, keepdim=True) + 1) / 2
    return change / (lightness + DARK)


def bare_places(
    face: Float[Tensor, "batch 1 size size"],
    lips: Bool[Tensor, "batch 1 size size"],
    eyes: Bool[Tensor, "batch 1 size size"],
) -> Float[Tensor, "batch 1 size size"]:
    """Skin without make-up: 1, and 3 around the lips."""
    reach = MOUSTACHE * lips.shape[-1] // 64
    near_lips = functional.max_pool2d(lips.float(), 2 * reach + 1, 1, reach)
    return ((face > 0.5) & ~lips & ~eyes) * (1 + 2 * near_lips)


def psnr_hinge(after: Images, before: Images, bar_db: float) -> Mean:
    """How far pictures lie below a peak signal-to-noise ratio, in dB."""
    error = (after - before).square().mean(dim=(1, 2, 3))
    psnr_db = 10 * torch.log10(4 / error.clamp(min=1e-8))
    return (bar_db - psnr_db).clamp(min=0).mean()


def ssim_hinge(after: Images, before: Images, bar: float) -> Mean:
    """How far pictures lie below a structural similarity, in hundredths; on [-1, 1], where shades count more."""
    from torchmetrics.functional.image import structural_similarity_index_measure

    ssim = structural_similarity_index_measure(after, before, data_range=2.0, reduction="none")
    return 100 * (bar - cast(Tensor, ssim)).clamp(min=0).mean()
