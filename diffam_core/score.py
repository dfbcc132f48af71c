"""How much protection a finished picture got, and what it cost: measured, never assumed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from diffam_core.images import shrink
from diffam_core.models import FalseAcceptRate, Models, Recogniser

Pictures = Float[Tensor, "batch 3 height width"]
PerPicture = Float[Tensor, " batch"]
DECISION_FAR: FalseAcceptRate = "0.01"
"""The false accept rate at which `dodged` and `impersonated` are decided, as in the paper."""
VIEWS = 50
"""Faces that recognisers see at a time."""
Embeddings = dict[str, Float[Tensor, "_ _"]]
"""Unit vectors of faces `(views, dim)`, by recogniser; each has its own dim."""
Scores = NDArray[np.float64]


class Share(NamedTuple):
    """A share, or a mean of shares, with its 95 % interval."""

    value: float
    ci95: tuple[float, float]


def rate(hits: NDArray[np.bool_]) -> Share:
    """The share of hits, with Wilson's interval."""
    from scipy.stats import binomtest

    interval = binomtest(int(hits.sum()), hits.size).proportion_ci(method="wilson")
    return Share(float(hits.mean()), (round(float(interval.low), 4), round(float(interval.high), 4)))


def threshold_at(impostors: Scores, far: float) -> float:
    """The least cosine that at most a share `far` of impostors reaches. impostors: in ascending order."""
    return float(np.nextafter(impostors[len(impostors) - int(far * len(impostors)) - 1], np.inf))


@dataclass(frozen=True)
class Cosines:
    """Cosines of one face on one recogniser, before and after protection."""

    own_before: float
    own_after: float
    target_before: float
    target_after: float
    threshold: float

    @property
    def is_dodged(self) -> bool:
        """The protected face no longer matches its owner."""
        return self.own_after < self.threshold

    @property
    def is_impersonating(self) -> bool:
        """The protected face matches the target."""
        return self.target_after >= self.threshold


@dataclass(frozen=True)
class Quality:
    """How close the protected face stays to the original: PSNR in dB, SSIM in [0, 1], LPIPS from 0 (same)."""

    psnr_db: float
    ssim: float
    lpips: float


def _cosine(a: Float[Tensor, " dim"], b: Float[Tensor, " dim"]) -> float:
    return float(torch.dot(a, b))


@torch.no_grad()
def embed(models: Models, views: Float[Tensor, "views 3 height width"]) -> Embeddings:
    """Unit embeddings of faces in [-1, 1], by recogniser."""
    views = views.to(models.device)
    return {name: torch.cat([r.embed(part) for part in views.split(VIEWS)]) for name, r in models.recognisers.items()}


def compare(
    recognisers: Mapping[str, Recogniser], own: Embeddings, seen: Embeddings, target: Embeddings
) -> list[dict[str, Cosines]]:
    """Per face seen and recogniser, how it matches its owner and the target.

    own: of every face's owner, or of the one that all have.  target: of one picture.
    """
    found: list[dict[str, Cosines]] = [{} for _ in next(iter(seen.values()))]
    for name, recogniser in recognisers.items():
        (aim,), owners = target[name], own[name].expand(len(found), -1)
        for row, before, after in zip(found, owners, seen[name], strict=True):
            row[name] = Cosines(
                own_before=_cosine(before, before),
                own_after=_cosine(before, after),
                target_before=_cosine(before, aim),
                target_after=_cosine(after, aim),
                threshold=recogniser.thresholds[DECISION_FAR],
            )
    return found


def matches(
    models: Models,
    original: Float[Tensor, "1 3 size size"],
    protected: Float[Tensor, "views 3 size size"],
    target: Float[Tensor, "1 3 any any"],
) -> list[dict[str, Cosines]]:
    """Per view of a protected face and recogniser, how it matches its owner and the target's test picture."""
    found = embed(models, torch.cat([original, protected]))
    own, seen = ({name: rows[part] for name, rows in found.items()} for part in (slice(1), slice(1, None)))
    return compare(models.recognisers, own, seen, embed(models, target))


@torch.no_grad()
def quality(
    models: Models, original: Float[Tensor, "1 3 size size"], protected: Float[Tensor, "1 3 size size"]
) -> Quality:
    """Visual distance between two views of a face in [-1, 1]."""
    small = [shrink(x, models.portrait_px) for x in (original, protected)]
    return Quality(
        psnr_db=float(psnr_db(protected, original)),
        ssim=float(ssim(protected, original)),
        lpips=float(models.perceptual(*small)),
    )


def psnr_db(one: Pictures, other: Pictures) -> PerPicture:
    """Peak signal-to-noise ratio of pictures in [-1, 1]; infinite between those that are the same."""
    error = (one - other).square().mean(dim=(1, 2, 3))
    return 10 * (4 / error).log10()


def ssim(one: Pictures, other: Pictures) -> PerPicture:
    """Structural similarity (Wang et al., IEEE TIP 2004) of pictures in [-1, 1]; 1 between those that are the same.

    It is taken on [0, 1], as the field does: around 0 the measure takes shades for structure.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure

    pair = ((one + 1) / 2, (other + 1) / 2)
    return cast(Tensor, structural_similarity_index_measure(*pair, data_range=1.0, reduction="none"))
