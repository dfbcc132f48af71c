"""Photos before and after protection, by the pipeline that serves users: what benchmarks that show people share."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np

from diffam_client.contract.report import protected
from diffam_client.contract.wish import Effort, Wish
from diffam_core.faces.face import FoundFace
from diffam_core.images import Photo, decode_photo, encode_photo
from jobs.settings import Settings
from model_store.bundle import Bundle
from model_store.choice import PORTRAIT, choose_bundle
from model_store.datasets.folder import people_in
from model_store.datasets.pictures import list_pictures, read_photo
from model_store.opening import open_chosen
from model_store.portrait.portraits import FOLDERS, is_held_out
from protection.pipeline import ProtectedPhoto, protect_photos
from protection.plan import Request

EYE_DISTANCES, EYES_AT = 5.2, 0.42
"""Side of a square with head and shoulders, in distances between the eyes, and how far down it the eyes are."""


@dataclass(frozen=True)
class Pair:
    """A photo as the encoder leaves it without make-up, the protected one, the face in both, and the look."""

    original: Photo
    finished: Photo
    face: FoundFace
    reference: str


def open_served(settings: Settings) -> Bundle:
    """The portrait bundle with the recognisers that were pulled. Raises StoreError."""
    return open_chosen(choose_bundle(PORTRAIT, settings.shelf))


def wished(reference: str, effort: Effort, target: str | None = None) -> Wish:
    """The largest face in that look, as a JPEG of quality 92. Raises ValidationError."""
    return Wish(
        reference_id=reference, target_id=target, faces="largest", output_format="jpeg", effort=effort, judges=()
    )


def protect(bundle: Bundle, photo: Photo, wish: Wish) -> tuple[Photo, float]:
    """The finished photo, and how many seconds it took without its scores. Raises DiffAMError."""
    result, seconds = _protected(bundle, photo, wish)
    return decode_photo(result.candidates[0].photo), seconds


def _protected(bundle: Bundle, photo: Photo, wish: Wish) -> tuple[ProtectedPhoto, float]:
    started = perf_counter()
    (result,) = protect_photos(bundle, [Request(encode_photo(photo, "png"), wish)], lambda *_: None)
    if not isinstance(result, ProtectedPhoto):
        raise result
    return result, perf_counter() - started - result.seconds["score"]


def unseen_photos(folder: Path) -> list[Path]:
    """A photo of everybody in `folder`; where training looks for people, of those whom it never saw.

    Raises DatasetMissing, DatasetDamaged.
    """
    if folder.name in FOLDERS:
        pictures = list_pictures(folder, folder.name).values()
        return [path for path in pictures if is_held_out(f"{folder.name}/{path.stem}")]
    return [person.photos[0] for person in people_in(folder)]


def pairs_of(bundle: Bundle, photos: Sequence[Path], wishes: Sequence[Wish], count: int, seed: int) -> Iterator[Pair]:
    """The first `count` of the shuffled photos that get make-up, with the wishes in turn. Raises DiffAMError."""
    turns, made = cycle(wishes), 0
    wish = next(turns)
    for index in np.random.default_rng(seed).permutation(len(photos)):
        if made == count:
            break
        photo = read_photo(photos[index])
        faces = bundle.models.detector.all(photo)
        if not faces or not faces[0].is_protectable:
            continue
        candidate = _protected(bundle, photo, wish)[0].candidates[0]
        if not protected(candidate.faces):
            continue
        original = decode_photo(encode_photo(photo, "jpeg"))  # or blocks of the encoder would tell the two apart
        yield Pair(original, decode_photo(candidate.photo), faces[0], wish.reference_id)
        wish, made = next(turns), made + 1


def head_of(photo: Photo, face: FoundFace, size_px: int) -> Photo:
    """Head and shoulders, `(size_px, size_px, 3)`: a square, moved into the photo and as small as it must be."""
    height, width = photo.shape[:2]
    side = min(round(EYE_DISTANCES * face.eye_distance_px), height, width)
    x, y = (round(at - side * share) for at, share in zip(face.eye_middle, (0.5, EYES_AT), strict=True))
    x, y = min(max(x, 0), width - side), min(max(y, 0), height - side)
    return resized(photo[y : y + side, x : x + side], (size_px, size_px))


def resized(photo: Photo, size: tuple[int, int]) -> Photo:
    """The photo at `size`, width and height, averaged where it gets smaller."""
    smaller = size[0] < photo.shape[1]
    return cv2.resize(photo, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC).astype(np.uint8)
