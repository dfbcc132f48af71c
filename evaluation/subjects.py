"""The photographs of an evaluation, with everything about them that no method changes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter

import torch
from torch import Tensor

from diffam_core.composite import face_probability
from diffam_core.errors import NoFaceFound
from diffam_core.faces import FoundFace, cut_portrait, stack_portraits
from diffam_core.images import Photo, decode_photo, encode_photo
from diffam_core.models import Models
from diffam_core.protect import generate, latents

JPEG_QUALITY = 92
BATCH = 20
Dataset = Callable[[int], Iterator[tuple[Photo, Photo]]]
"""`dataset(seed)`: pairs of photos, both of one person, each pair another person; the second is what others hold."""
OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Subjects:
    """`n` people: `photos` with `faces` found, and per face, in [-1, 1]: `views (n, 3, v, v)` of them and of `others`.

    `other_files` are the JPEG files of those other photos.

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

    def first(self, count: int) -> "Subjects":
        """The first `count` people."""
        tensors = {
            name: getattr(self, name)[:count]
            for name in ("views", "others", "portraits", "latents", "reconstructions", "masks")
        }
        return Subjects(
            self.photos[:count], self.faces[:count], self.other_files[:count], **tensors,
            invert_s=self.invert_s, not_found=self.not_found,
        )  # fmt: skip


def save(photo: Photo) -> bytes:
    """The JPEG file that a photo becomes."""
    return encode_photo(photo, "jpeg", JPEG_QUALITY)


def save_and_open(photo: Photo) -> Photo:
    """What comes out of the JPEG file that a photo becomes."""
    return decode_photo(save(photo))


@torch.no_grad()
def gather_subjects(models: Models, dataset: Dataset, count: int, seed: int, on_progress: OnProgress) -> Subjects:
    """The first `count` people of a dataset whose face is found in both photos.

    Raises NoFaceFound when more than half of the photos show no face.
    """
    photos: list[Photo] = []
    faces, other_files, views, others = [], [], [], []
    not_found = 0
    for photo, other in dataset(seed):
        if not_found > max(10, count):
            raise NoFaceFound(f"no face was found in {not_found} of {not_found + len(photos)} pairs of photos")
        photo, other_file = save_and_open(photo), save(other)
        other = decode_photo(other_file)
        try:
            face, other_face = models.find_face(photo), models.find_face(other)
        except NoFaceFound:
            not_found += 1
            continue
        photos.append(photo)
        faces.append(face)
        other_files.append(other_file)
        views.append(cut_portrait(photo, face, models.view_px))
        others.append(cut_portrait(other, other_face, models.view_px))
        on_progress("photos", len(photos), count)
        if len(photos) == count:
            break
    portraits = stack_portraits(photos, faces, models.portrait_px).to(models.device)
    started = perf_counter()
    inverted = torch.cat([latents(models, part) for part in portraits.split(BATCH)])
    return Subjects(
        photos=photos,
        faces=faces,
        other_files=other_files,
        views=torch.cat(views).to(models.device),
        others=torch.cat(others).to(models.device),
        portraits=portraits,
        latents=inverted,
        reconstructions=torch.cat([generate(models, part, None) for part in inverted.split(BATCH)]),
        masks=torch.cat([face_probability(models.parser, part) for part in portraits.split(BATCH)]),
        invert_s=(perf_counter() - started) / len(photos),
        not_found=not_found,
    )
