"""Rendered photographs for demonstrations and tests: a person in a frame, as somebody would take it."""

import torch
from PIL import Image

from diffam_core.images import to_pixels
from model_store.miniature.people import sample_identities, sample_makeup, sample_nuisance
from model_store.miniature.renderer import Frame, render

SCENE_SEEDS = 5_000_000


def demo_scene(seed: int = 0, size: int = 1024) -> Image.Image:
    """One bare-faced person on a `size` x `size` photo, face about half as wide as the picture."""
    generator = torch.Generator().manual_seed(SCENE_SEEDS + seed)
    face = sample_identities(1, SCENE_SEEDS + seed) | sample_nuisance(1, generator) | sample_makeup(1, generator, 0.0)
    calmer = {name: face[name] * 0.5 for name in ("yaw", "pitch", "light_x")}
    calmer["hairline"] = face["hairline"].clamp(max=-0.6)
    place = [0.5 + 0.06 * float(torch.rand(1, generator=generator)), 0.42, 0.17, 0.0]
    frame = Frame(*(torch.tensor([value]) for value in place))
    return Image.fromarray(to_pixels(render(face | calmer, size, frame, generator).image[0]))
