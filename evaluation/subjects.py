"""The photographs of an evaluation, with everything about them that no method changes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Literal, Protocol

import torch
from torch import Tensor

from diffam_core.composite import face_probability
from diffam_core.errors import FaceTooSmall, NoFaceFound
from diffam_core.faces.face import FoundFace, cut_portrait, stack_portraits
from diffam_core.generation import autocast, generate, latents
from diffam_core.images import Photo, decode_photo, encode_photo
from diffam_core.models import Models

JPEG_QUALITY = 92
BATCH = 20
Pair = tuple[Photo, Photo | None]
"""Two photos of one person, the second being what others hold; None where the dataset has one photo of each."""
Against = Literal["another photo", "the original"]
OnProgress = Callable[[str, int, int], None]


class Dataset(Protocol):
    """Where photos come from; every pair is another person, in the order of a seed, with second photos or without."""

    def __call__(self, seed: int, folder: Path | None = None, /) -> Iterator[Pair]:
        """The pairs. folder: where the dataset lies, for those that lie somewhere. Raises DatasetError."""
        ...


@dataclass(frozen=True)
class Subjects:
    """`n` people: `photos` with `faces` found, and per face, in [-1, 1]: `views (n, 3, v, v)` of them and of `others`.

    `other_files` are the JPEG files of those other photos. `own_match_against` says what `others` are: the same views
    where no second photo exists, which flatters recognisers.
    `portraits`, `latents` and `reconstructions` `(n, 3, s, s)`, and `masks (n, 1, s, s)`, are what styles start from.
    """

    photos: list[Photo]
    faces: list[FoundFace]
    other_files: list[bytes]
    views: Tensor
    others: Tensor
    portraits: Tensor
    latents: Tensor
    reconstructions: Tensor
    masks: Tensor
    invert_s: float
    not_found: int
    own_match_against: Against = "another photo"

    def first(self, count: int) -> "Subjects":
        """The first `count` people."""
        tensors = {
            name: getattr(self, name)[:count]
            for name in ("views", "others", "portraits", "latents", "reconstructions", "masks")
        }
        return replace(
            self, photos=self.photos[:count], faces=self.faces[:count], other_files=self.other_files[:count], **tensors
        )


def save(photo: Photo) -> bytes:
    """The JPEG file that a photo becomes."""
    return encode_photo(photo, "jpeg", JPEG_QUALITY)


def save_and_open(photo: Photo) -> Photo:
    """What comes out of the JPEG file that a photo becomes."""
    return decode_photo(save(photo))


@torch.no_grad()
def gather_subjects(
    models: Models, dataset: Dataset, count: int, seed: int, on_progress: OnProgress, folder: Path | None = None
) -> Subjects:
    """The first `count` people of a dataset whose face is found in every photo; fewer when it has no more.

    Raises DatasetError, and NoFaceFound when more than half of the photos show no face.
    """
    photos: list[Photo] = []
    faces, other_files, views, others = [], [], [], []
    not_found = 0
    against: set[Against] = set()
    for photo, other in dataset(seed, folder):
        if not_found > max(10, count):
            raise NoFaceFound(f"no face was found in {not_found} of {not_found + len(photos)} pairs of photos")
        file = save(photo)
        other_file = file if other is None else save(other)
        photo, known = decode_photo(file), decode_photo(other_file)
        try:
            face = models.find_face(photo)
            known_face = face if other is None else models.find_face(known)
        except (NoFaceFound, FaceTooSmall):
            not_found += 1
            continue
        against.add("the original" if other is None else "another photo")
        photos.append(photo)
        faces.append(face)
        other_files.append(other_file)
        views.append(cut_portrait(photo, face, models.view_px))
        others.append(cut_portrait(known, known_face, models.view_px))
        on_progress("photos", len(photos), count)
        if len(photos) == count:
            break
    if not photos:
        raise NoFaceFound(f"no face was found in any of {not_found} pairs of photos")
    (own_match_against,) = against  # a dataset has second photos of all people, or of none
    portraits = stack_portraits(photos, faces, models.portrait_px).to(models.device)
    started = perf_counter()
    with autocast(models):
        inverted = torch.cat([latents(models, part) for part in portraits.split(BATCH)])
        reconstructions = torch.cat([generate(models, part, None) for part in inverted.split(BATCH)])
    return Subjects(
        photos=photos,
        faces=faces,
        other_files=other_files,
        views=torch.cat(views).to(models.device),
        others=torch.cat(others).to(models.device),
        portraits=portraits,
        latents=inverted,
        reconstructions=reconstructions,
        masks=torch.cat([face_probability(models.parser, part) for part in portraits.split(BATCH)]),
        invert_s=(perf_counter() - started) / len(photos),
        not_found=not_found,
        own_match_against=own_match_against,
    )
