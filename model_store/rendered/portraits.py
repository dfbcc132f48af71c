"""Rendered portraits in the product's framing, and the photographic damage that training adds to them."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from model_store.rendered.people import Face, sample_identities, sample_makeup, sample_nuisance, take
from model_store.rendered.renderer import FRAMING, Frame, Rendering, render

SEEDS = {"train": 11, "calibrate": 23, "portraits": 37, "references": 41, "targets": 43}
"""One world, disjoint people: whoever trains a network is never asked to judge it."""


@dataclass(frozen=True)
class Portraits:
    """Rendered portraits as uint8 `(n, 3, size, size)`, the faces behind them and whose they are `(n,)`."""

    images: Tensor
    faces: Face
    people: Tensor


def portrait_frame(n: int, generator: torch.Generator, jitter: float = 1.0) -> Frame:
    """The product's framing with the errors that real alignment makes (1 is the spread of the shipped detector)."""

    def around(centre: float, spread: float) -> Tensor:
        return centre + jitter * spread * torch.randn(n, generator=generator)

    return Frame(
        around(FRAMING.eye_middle[0], 0.012),
        around(FRAMING.eye_middle[1], 0.014),
        around(FRAMING.eye_distance, 0.013),
        around(0.0, 0.04),
    )


def render_portraits(face: Face, size_px: int, generator: torch.Generator, jitter: float = 1.0) -> Rendering:
    """Draw faces as portraits with sensor noise."""
    n = face["yaw"].shape[0]
    return render(face, size_px, portrait_frame(n, generator, jitter), generator)


def sample_faces(people: Tensor, seed: int, generator: torch.Generator, wearing: float = 0.5) -> Face:
    """One picture's worth of face for each entry of `people (n,)`, indices into the population of `seed`."""
    identities = take(sample_identities(int(people.max()) + 1, seed), people)
    return identities | sample_nuisance(len(people), generator) | sample_makeup(len(people), generator, wearing)


def population(identities: int, pictures: int, seed: int, size_px: int, wearing: float = 0.5) -> Portraits:
    """`identities` x `pictures` portraits, person by person, deterministic by seed."""
    generator = torch.Generator().manual_seed(seed * 1000 + 1)
    people = torch.arange(identities).repeat_interleave(pictures)
    faces = sample_faces(people, seed, generator, wearing)
    images = [
        to_uint8(render_portraits(take(faces, rows), size_px, generator).image)
        for rows in torch.arange(len(people)).split(128)
    ]
    return Portraits(torch.cat(images), faces, people)


def draw_portraits(count: int, seed: int, size_px: int, wearing: float = 0.0, at_once: int = 16) -> Tensor:
    """`(count, 3, size, size)` in [-1, 1] of as many people, of whom a share `wearing` is made up.

    at_once: how many are drawn together. It decides, with the seed, which random numbers a picture gets.
    """
    generator = torch.Generator().manual_seed(seed)
    faces = sample_faces(torch.arange(count), seed, generator, wearing)
    rows = torch.arange(count).split(at_once)
    return torch.cat([render_portraits(take(faces, some), size_px, generator).image for some in rows])


def to_uint8(image: Tensor) -> Tensor:
    """[-1, 1] to rounded bytes, on 8 bits as a file would hold them."""
    return ((image + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def to_float(image: Tensor) -> Tensor:
    """Bytes to [-1, 1]."""
    return image.float() / 127.5 - 1


def _blur(x: Tensor, sigma: float) -> Tensor:
    taps = torch.exp(-torch.arange(-3, 4).float().square() / (2 * sigma * sigma))
    taps = (taps / taps.sum()).view(1, 1, 1, 7).expand(3, 1, 1, 7)
    x = functional.conv2d(functional.pad(x, (3, 3, 0, 0), mode="replicate"), taps, groups=3)
    return functional.conv2d(functional.pad(x, (0, 0, 3, 3), mode="replicate"), taps.transpose(2, 3), groups=3)


def flip(x: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each row with probability one half."""
    mirrored = torch.rand(len(x), generator=generator) < 0.5
    return torch.where(mirrored.view(-1, 1, 1, 1), x.flip(-1), x)


def damage(x: Tensor, generator: torch.Generator) -> Tensor:
    """Random colour, contrast, softness, texture and noise, each half the batch at most; [-1, 1] in and out.

    It stands for cameras, lamps, compression and skin that the renderer does not know, so that the networks
    stay sensible on photographs.
    """
    n, _, size, _ = x.shape

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    gain = 1 + 0.25 * (rand(n, 3, 1, 1) - 0.5) + 0.3 * (rand(n, 1, 1, 1) - 0.5)
    x = (x + 0.25 * (rand(n, 3, 1, 1) - 0.5)) * gain
    grey = (rand(n, 1, 1, 1) < 0.06).float()
    x = x + (x.mean(1, keepdim=True) - x) * grey
    soft = rand(n) < 0.3
    if soft.any():
        x = torch.where(soft.view(n, 1, 1, 1), _blur(x, 0.4 + 0.9 * float(rand(1))), x)
    small = rand(n) < 0.25
    if small.any():
        side = int(size * (0.45 + 0.4 * float(rand(1))))
        down = functional.interpolate(x, side, mode="bilinear", antialias=True)
        x = torch.where(small.view(n, 1, 1, 1), functional.interpolate(down, size, mode="bilinear"), x)
    texture = functional.interpolate(torch.randn(n, 1, 16, 16, generator=generator), size, mode="bicubic")
    x = x + 0.08 * rand(n, 1, 1, 1) * texture
    x = x + 0.06 * rand(n, 1, 1, 1) * torch.randn(x.shape, generator=generator)
    return x.clamp(-1, 1)


def batches(count: int, batch_size: int, steps: int, generator: torch.Generator) -> Iterator[Tensor]:
    """`steps` batches of indices below `count`, reshuffled each time all have been seen."""
    order = torch.randperm(count, generator=generator)
    for _ in range(steps):
        if len(order) < batch_size:
            order = torch.cat([order, torch.randperm(count, generator=generator)])
        yield order[:batch_size]
        order = order[batch_size:]
