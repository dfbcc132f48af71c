"""The photographs of an evaluation, with everything about them that no method changes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from diffam_client.contract.wish import Wish
from diffam_core.errors import FaceInProfile, FaceTooSmall, NoFaceFound
from diffam_core.faces.face import FoundFace, cut_portrait
from diffam_core.images import Photo, decode_photo, encode_photo
from diffam_core.models import Models
from protection.batch import Face, invert
from protection.pipeline import open_photo
from protection.plan import Request, Upload

JPEG_QUALITY = 92
LARGEST = Wish(reference_id="any", faces="largest", output_format="jpeg")
"""What is asked of every photo, whatever it is to wear."""
Against = Literal["another photo", "the original"]
OnProgress = Callable[[str, int, int], None]


class Pair(NamedTuple):
    """Two photos of one person, the second being what others hold; None where the dataset has one photo of each.

    person: the id by which a list tells traits; empty for somebody of whom nothing is told.
    """

    photo: Photo
    other: Photo | None
    person: str = ""


class Dataset(Protocol):
    """Where photos come from; every pair is another person, in the order of a seed, with second photos or without."""

    def __call__(self, seed: int, folder: Path | None = None, /) -> Iterator[Pair]:
        """The pairs. folder: where the dataset lies, for those that lie somewhere. Raises DatasetError."""
        ...


@dataclass(frozen=True)
class Subjects:
    """`n` people: of each the face that the service would protect in a photo, with what styles start from.

    views, others: of those faces and of other photos of their owners `(n, 3, v, v)`, in [-1, 1].  other_uploads,
    other_files: those photos, and as JPEG files.  own_match_against: what they are; the same ones where no second photo
    exists, which flatters recognisers.  people, left_out: ids of those measured, and of those without a face.
    """

    faces: list[Face]
    other_uploads: list[Upload]
    other_files: list[bytes]
    views: Tensor
    others: Tensor
    invert_s: float
    people: list[str]
    left_out: list[str]
    own_match_against: Against = "another photo"

    @property
    def not_found(self) -> int:
        """How many people were left out because the detector saw no face of theirs."""
        return len(self.left_out)

    @property
    def photos(self) -> list[Photo]:
        """The photos that methods change."""
        return [face.photo for face in self.faces]

    @property
    def found(self) -> list[FoundFace]:
        """Where the faces are in them."""
        return [face.found for face in self.faces]

    @property
    def other_photos(self) -> list[Photo]:
        """The photos that others hold."""
        return [upload.photo for upload in self.other_uploads]

    @property
    def other_found(self) -> list[FoundFace]:
        """Where the faces are in those."""
        return [upload.found[upload.chosen[0]] for upload in self.other_uploads]

    def exchanged(self, models: Models) -> "Subjects":
        """The same people, their other photos being the ones that methods change; with new faces, it takes a while."""
        return replace(
            self,
            faces=invert(models, self.other_uploads),
            other_uploads=[face.upload for face in self.faces],
            other_files=[save(photo) for photo in self.photos],
            views=self.others,
            others=self.views,
        )

    def first(self, count: int) -> "Subjects":
        """The first `count` people."""
        return replace(
            self,
            faces=self.faces[:count],
            other_uploads=self.other_uploads[:count],
            other_files=self.other_files[:count],
            views=self.views[:count],
            others=self.others[:count],
            people=self.people[:count],
        )


def save(photo: Photo) -> bytes:
    """The JPEG file that a photo becomes."""
    return encode_photo(photo, "jpeg", JPEG_QUALITY)


def save_and_open(photo: Photo) -> Photo:
    """What comes out of the JPEG file that a photo becomes."""
    return decode_photo(save(photo))


def gather_subjects(
    models: Models, dataset: Dataset, count: int, seed: int, on_progress: OnProgress, folder: Path | None = None
) -> Subjects:
    """The first `count` people of a dataset whose face is found in every photo; fewer when it has no more.

    Raises DatasetError, and NoFaceFound when more than half of the photos show no face.
    """
    uploads, other_uploads, other_files, others = list[Upload](), list[Upload](), list[bytes](), list[Tensor]()
    people, left_out = list[str](), list[str]()
    against: set[Against] = set()
    for photo, other, person in dataset(seed, folder):
        if len(left_out) > max(10, count):
            seen = len(left_out) + len(uploads)
            raise NoFaceFound(f"no face was found in {len(left_out)} of {seen} pairs of photos")
        file = save(photo)
        other_file = file if other is None else save(other)
        try:
            upload = open_photo(models, None, Request(file, LARGEST))
            known = upload if other is None else open_photo(models, None, Request(other_file, LARGEST))
        except (NoFaceFound, FaceTooSmall, FaceInProfile):
            left_out.append(person)
            continue
        against.add("the original" if other is None else "another photo")
        people.append(person)
        uploads.append(upload)
        other_uploads.append(known)
        other_files.append(other_file)
        others.append(_view_of(models, known))
        on_progress("photos", len(uploads), count)
        if len(uploads) == count:
            break
    if not uploads:
        raise NoFaceFound(f"no face was found in any of {len(left_out)} pairs of photos")
    (own_match_against,) = against  # a dataset has second photos of all people, or of none
    started = perf_counter()
    faces = invert(models, uploads)
    invert_s = (perf_counter() - started) / len(uploads)
    return Subjects(
        faces=faces,
        other_uploads=other_uploads,
        other_files=other_files,
        views=torch.cat([_view_of(models, upload) for upload in uploads]).to(models.device),
        others=torch.cat(others).to(models.device),
        invert_s=invert_s,
        people=people,
        left_out=left_out,
        own_match_against=own_match_against,
    )


def _view_of(models: Models, upload: Upload) -> Tensor:
    """What a recogniser sees of the face `(1, 3, v, v)`."""
    return cut_portrait(upload.photo, upload.found[upload.chosen[0]], models.view_px)
