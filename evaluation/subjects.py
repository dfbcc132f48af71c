"""The photographs of an evaluation, with everything about them that no method changes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Literal, Protocol

import torch
from torch import Tensor

from diffam_core.errors import FaceInProfile, FaceTooSmall, NoFaceFound
from diffam_core.faces.face import FoundFace, cut_portrait
from diffam_core.images import Photo, decode_photo, encode_photo
from diffam_core.models import Models
from protection.batch import Face, prepare
from protection.plan import choose_faces

JPEG_QUALITY = 92
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
    """`n` people: of each the face that the service would protect in a photo, with what styles start from.

    views, others: of those faces and of other photos of their owners `(n, 3, v, v)`, in [-1, 1].  other_files: JPEG
    files of the others.  own_match_against: what `others` are; the same views where no second photo exists, which
    flatters recognisers.
    """

    faces: list[Face]
    other_files: list[bytes]
    views: Tensor
    others: Tensor
    prepare_s: float
    not_found: int
    own_match_against: Against = "another photo"

    @property
    def photos(self) -> list[Photo]:
        """The photos that methods change."""
        return [face.photo for face in self.faces]

    @property
    def found(self) -> list[FoundFace]:
        """Where the faces are in them."""
        return [face.found for face in self.faces]

    def first(self, count: int) -> "Subjects":
        """The first `count` people."""
        return replace(
            self,
            faces=self.faces[:count],
            other_files=self.other_files[:count],
            views=self.views[:count],
            others=self.others[:count],
        )


def save(photo: Photo) -> bytes:
    """The JPEG file that a photo becomes."""
    return encode_photo(photo, "jpeg", JPEG_QUALITY)


def save_and_open(photo: Photo) -> Photo:
    """What comes out of the JPEG file that a photo becomes."""
    return decode_photo(save(photo))


def largest_face(models: Models, photo: Photo) -> FoundFace:
    """The face that the service protects where the largest is asked for.

    Raises NoFaceFound, FaceTooSmall, FaceInProfile.
    """
    found = models.find_faces(photo)
    return found[choose_faces(found, "largest").within[0]]


def gather_subjects(
    models: Models, dataset: Dataset, count: int, seed: int, on_progress: OnProgress, folder: Path | None = None
) -> Subjects:
    """The first `count` people of a dataset whose face is found in every photo; fewer when it has no more.

    Raises DatasetError, and NoFaceFound when more than half of the photos show no face.
    """
    faces: list[tuple[Photo, FoundFace]] = []
    other_files, others = [], []
    not_found = 0
    against: set[Against] = set()
    for photo, other in dataset(seed, folder):
        if not_found > max(10, count):
            raise NoFaceFound(f"no face was found in {not_found} of {not_found + len(faces)} pairs of photos")
        file = save(photo)
        other_file = file if other is None else save(other)
        photo, known = decode_photo(file), decode_photo(other_file)
        try:
            face = largest_face(models, photo)
            known_face = face if other is None else largest_face(models, known)
        except (NoFaceFound, FaceTooSmall, FaceInProfile):
            not_found += 1
            continue
        against.add("the original" if other is None else "another photo")
        faces.append((photo, face))
        other_files.append(other_file)
        others.append(cut_portrait(known, known_face, models.view_px))
        on_progress("photos", len(faces), count)
        if len(faces) == count:
            break
    if not faces:
        raise NoFaceFound(f"no face was found in any of {not_found} pairs of photos")
    (own_match_against,) = against  # a dataset has second photos of all people, or of none
    started = perf_counter()
    prepared = prepare(models, faces)
    prepare_s = (perf_counter() - started) / len(faces)
    views = torch.cat([cut_portrait(photo, face, models.view_px) for photo, face in faces])
    return Subjects(
        faces=prepared,
        other_files=other_files,
        views=views.to(models.device),
        others=torch.cat(others).to(models.device),
        prepare_s=prepare_s,
        not_found=not_found,
        own_match_against=own_match_against,
    )
