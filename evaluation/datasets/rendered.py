"""Rendered strangers: people of the miniature world whom no network and no style has ever met."""

from collections.abc import Iterator
from pathlib import Path

import torch

from diffam_core.images import to_pixels
from evaluation.subjects import Pair
from model_store.rendered.portraits import sample_faces
from model_store.rendered.renderer import Frame, render

PHOTO_PX = 512
EVALUATION_SEEDS = 2_000_000
"""Added to the caller's seed: no training and no calibration draws people from here."""


def strangers(seed: int, _folder: Path | None = None) -> Iterator[Pair]:
    """Two bare-faced photos of each stranger, the face about 300 pixels wide, without end."""
    person = 0
    while True:
        world = EVALUATION_SEEDS + 10_000 * seed + person
        generator = torch.Generator().manual_seed(world)
        pair = []
        for _ in range(2):
            face = sample_faces(torch.zeros(1, dtype=torch.long), world, generator, wearing=0.0)
            x, y, distance, roll = torch.rand(4, 1, generator=generator)
            frame = Frame(0.44 + 0.12 * x, 0.40 + 0.06 * y, 0.15 + 0.04 * distance, 0.1 * (roll - 0.5))
            pair.append(to_pixels(render(face, PHOTO_PX, frame, generator).image[0]))
        yield Pair(pair[0], pair[1])
        person += 1


DATASET = strangers
