"""The targets of the portrait bundle: virtual people, two portraits each that real recognisers take for one person.

The people of `ai` resemble each other, so such pairs exist. `pairs_of_one` finds them, the eye chose among them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from diffam_core.faces.yunet import portrayed
from diffam_core.models import FalseAcceptRate
from model_store.portrait.cast.references import pixels_of, save_picture
from model_store.portrait.portraits import WIDE_FRAMING, WIDE_PX, Portraits
from model_store.recognisers import Judges
from model_store.rendered.portraits import to_float

STRONG = ("sface", "dlib", "mobilefacenet", "faceplugin")
"""The recognisers that decide who is one person."""
FAR: FalseAcceptRate = "0.001"
CONSENT = "virtual identity, made by Stable Diffusion 3; no such person exists"
Pair = tuple[str, str]
"""Names of two portraits."""


@dataclass(frozen=True)
class VirtualPerson:
    """A virtual person under a title, and the two portraits: one to aim at, one to test with."""

    title: str
    pictures: Pair


TARGETS = {
    "clara": VirtualPerson("Clara", ("ai/female_36", "ai/female_45")),
    "amina": VirtualPerson("Amina", ("ai/female_44", "ai/female_28")),
    "omar": VirtualPerson("Omar", ("ai/male_60", "ai/male_29")),
}
"""Chosen among `pairs_of_one`, on 2026-11-26: from the training side, alike to the eye, apart from one another."""


def save_targets(portraits: Portraits, folder: Path) -> None:
    """Write `targets/<name>_0.png` and `_1.png`, 256 pixels. Raises ValueError when somebody is not there."""
    for name, target in TARGETS.items():
        for place, picture in enumerate(target.pictures):
            wide = pixels_of(portraits.wide[portraits.names.index(picture)])
            save_picture(wide, folder / f"targets/{name}_{place}.png")


def margins(
    portraits: Portraits, rows: Sequence[int], judges: Judges, names: Sequence[str] = STRONG
) -> Float[Tensor, "recognisers rows rows"]:
    """How far the cosine of each two portraits lies above a recogniser's threshold; above 0, they are one person.

    Raises KeyError when a recogniser is not among the judges, ValueError when a portrait shows them no face.
    """
    views = torch.cat([to_float(portraits.wide[row][None]) for row in rows])
    points = torch.stack([_landmarks(portraits, row, judges) for row in rows])
    found = []
    for recogniser in (judges.recognisers[name] for name in names):
        pieces = zip(views.split(16), points.split(16), strict=True)
        with torch.no_grad():
            vectors = torch.cat([recogniser.embed(*piece) for piece in pieces])
        found.append(vectors @ vectors.T - recogniser.thresholds[FAR])
    return torch.stack(found)


def _landmarks(portraits: Portraits, row: int, judges: Judges) -> Float[Tensor, "5 2"]:
    """The five landmarks as shares of the wide picture's side."""
    find = portrayed(judges.landmarks.faces(pixels_of(portraits.wide[row])), WIDE_FRAMING, WIDE_PX)
    if find is None:
        raise ValueError(f"no face is found in {portraits.names[row]}")
    return ((torch.from_numpy(find.five_points) + 0.5) / WIDE_PX).float()


def pairs_of_one(names: Sequence[str], above: Float[Tensor, "recognisers rows rows"]) -> list[Pair]:
    """The pairs that every recogniser takes for one person, the surest first.

    above: `margins` of the portraits with these names.
    """
    least = above.amin(0)
    found = [(float(least[a, b]), (names[a], names[b])) for a, b in combinations(range(len(names)), 2)]
    return [pair for sure, pair in sorted(found, reverse=True) if sure > 0]


def are_apart(one: Pair, other: Pair, names: Sequence[str], above: Float[Tensor, "recognisers rows rows"]) -> bool:
    """Whether no recogniser takes any picture of one pair for any of the other."""
    rows, columns = ([names.index(name) for name in pair] for pair in (one, other))
    return bool((above.amax(0)[rows][:, columns] <= 0).all())
