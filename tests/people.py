"""Photographs of rendered people: the same person again in another light, pose and room."""

from functools import cache
from io import BytesIO

import torch
from PIL import Image

from diffam_core.images import to_pixels
from model_store.rendered.people import sample_identities, sample_makeup, sample_nuisance
from model_store.rendered.renderer import Frame, render

PEOPLE_SEEDS = 6_000_000


@cache
def shot(person: int, number: int, size: int = 320) -> bytes:
    """Photo `number` of a person, a PNG."""
    generator = torch.Generator().manual_seed(PEOPLE_SEEDS + 1000 * person + number)
    face = sample_identities(1, PEOPLE_SEEDS + person) | sample_nuisance(1, generator)
    face |= sample_makeup(1, generator, 0.0)
    calmer = {name: face[name] * 0.5 for name in ("yaw", "pitch", "light_x")}
    calmer["hairline"] = face["hairline"].clamp(max=-0.6)
    frame = Frame(*(torch.tensor([value]) for value in (0.5, 0.42, 0.18, 0.0)))
    png = BytesIO()
    Image.fromarray(to_pixels(render(face | calmer, size, frame, generator).image[0])).save(png, "PNG")
    return png.getvalue()
