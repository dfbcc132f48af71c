"""Histogram matching of face regions, vectorised over batch, channel and pixel."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def colour_table(
    picture: Float[Tensor, "3 height width"], region: Bool[Tensor, "height width"], points: int = 64
) -> Float[Tensor, "3 points"]:
    """The colours of a region as quantiles per channel, darkest first. Raises ValueError when the region is empty."""
    if not region.any():
        raise ValueError("the reference shows nothing of this region")
    return torch.quantile(picture[:, region], torch.linspace(0, 1, points, device=picture.device), dim=1).T


def match_colours(
    picture: Float[Tensor, "batch 3 height width"],
    region: Bool[Tensor, "batch 1 height width"],
    table: Float[Tensor, "3 points"],
) -> Float[Tensor, "batch 3 height width"]:
    """The picture with the region's pixels recoloured so that their histogram is the table's; the rest unchanged.

    A new tensor without gradient: the target of a loss, never an alias of its input.
    """
    source = picture.detach()
    batch, channels, height, width = source.shape
    flat = source.flatten(2)
    inside = region.flatten(2).expand_as(flat)
    rank = flat.masked_fill(~inside, torch.inf).argsort(dim=-1).argsort(dim=-1)
    count = inside.sum(dim=-1, keepdim=True).clamp(min=1)
    position = ((rank + 0.5) / count).clamp(0, 1) * (table.shape[1] - 1)
    lower = position.floor().long().clamp(max=table.shape[1] - 2)
    rows = table[None].expand(batch, channels, -1)
    matched = torch.lerp(rows.gather(2, lower), rows.gather(2, lower + 1), position - lower)
    return torch.where(inside, matched, flat).reshape(batch, channels, height, width)
