"""Small datasets in the published layouts, with rendered faces for photographs."""

from collections.abc import Sequence
from functools import cache
from itertools import count, islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from diffam_core.images import to_pixels
from model_store.datasets.people import Split, split_of
from model_store.rendered.people import sample_identities, sample_makeup, sample_nuisance
from model_store.rendered.renderer import Frame, render

PHOTO_PX = 192
WORLD = 7_000_000
ATTRIBUTES = ("Heavy_Makeup", "Smiling", "Young")


@cache
def snap(person: int, take: int = 0) -> Image.Image:
    """A photo of a rendered person."""
    generator = torch.Generator().manual_seed(WORLD + 100 * person + take)
    face = sample_identities(1, WORLD + person) | sample_nuisance(1, generator) | sample_makeup(1, generator, 0.0)
    face |= {name: face[name] * 0.4 for name in ("yaw", "pitch", "light_x")}
    frame = Frame(*(torch.tensor([value]) for value in (0.5, 0.42, 0.2, 0.0)))
    return Image.fromarray(to_pixels(render(face, PHOTO_PX, frame, generator).image[0]))


def on_side(split: Split, pattern: str, wanted: int) -> list[int]:
    """The first numbers for which `pattern`, the id of a person, falls on that side."""
    return list(islice((n for n in count() if split_of(pattern.format(n)) == split), wanted))


def write_celebahq(folder: Path, pictures: dict[int, tuple[int, int]]) -> Path:
    """CelebAMask-HQ with these numbers, each a (person, take); even ones wear heavy make-up; three parts each."""
    (folder / "CelebA-HQ-img").mkdir(parents=True)
    lines = [str(len(pictures)), " ".join(ATTRIBUTES)]
    for number, (person, take) in pictures.items():
        snap(person, take).save(folder / f"CelebA-HQ-img/{number}.jpg", quality=95)
        masks = folder / f"CelebAMask-HQ-mask-anno/{number // 2000}"
        masks.mkdir(parents=True, exist_ok=True)
        for row, part in enumerate(("skin", "u_lip", "l_eye")):
            mask = np.zeros((512, 512), np.uint8)
            mask[100 * row : 100 * row + 50] = 255
            Image.fromarray(mask).save(masks / f"{number:05d}_{part}.png")
        lines.append(f"{number}.jpg  {'1' if number % 2 == 0 else '-1'} 1 -1")
    (folder / "CelebAMask-HQ-attribute-anno.txt").write_text("\n".join(lines) + "\n")
    return folder


def add_identities(folder: Path, whose: dict[int, int]) -> None:
    """CelebA's two files: picture `number` of CelebA-HQ is picture 1000 + number of CelebA, of that person."""
    mapping = ["    idx    orig_idx    orig_file"]
    mapping += [f"{number:7d} {1000 + number:11d}   {1000 + number:06d}.jpg" for number in whose]
    (folder / "CelebA-HQ-to-CelebA-mapping.txt").write_text("\n".join(mapping) + "\n")
    lines = [f"{1000 + number:06d}.jpg {person}" for number, person in whose.items()]
    (folder / "identity_CelebA.txt").write_text("\n".join(lines) + "\n")


def write_mt(folder: Path, bare: Sequence[int], made_up: Sequence[int] = (900,)) -> Path:
    """The MT dataset with its lists and label maps."""
    for kind, numbers in (("non-makeup", bare), ("makeup", made_up)):
        for home in ("images", "segs"):
            (folder / home / kind).mkdir(parents=True)
        for number in numbers:
            snap(number).save(folder / f"images/{kind}/xfsy_{number:04d}.png")
            labels = np.zeros((PHOTO_PX, PHOTO_PX), np.uint8)
            labels[50:100], labels[100:110] = 1, 9
            Image.fromarray(labels).save(folder / f"segs/{kind}/xfsy_{number:04d}.png")
        listed = [f"{kind}/xfsy_{number:04d}.png" for number in numbers]
        (folder / f"{kind}.txt").write_text("\n".join(listed) + "\n")
    return folder


def write_ladn(folder: Path, bare: Sequence[int], names: tuple[str, str] = ("before", "after")) -> Path:
    """The LADN dataset."""
    for name, numbers in zip(names, (bare, (901,)), strict=True):
        (folder / name).mkdir(parents=True)
        for number in numbers:
            snap(number).save(folder / f"{name}/{number:05d}.jpg", quality=95)
    return folder
