"""A second look at what a detector took for a face: the bundle's parser must see eyes and mouth in their places."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from diffam_core.faces.detection import Check, Straighten
from diffam_core.faces.face import FoundFace, portrait_transform, stack_portraits
from diffam_core.images import Photo
from diffam_core.networks.parser import region

EYE_WINDOW = (-0.4, 0.4, -0.45, 0.3)
"""Around an eye's place: left, right, top, bottom in eye distances."""
LEANING_EYE_WINDOW = (-0.5, 0.5, -0.55, 0.55)
"""The same for eyes that lie 30 degrees off."""
MOUTH_WINDOW = (-0.56, 0.56, 0.48, 1.37)
"""Around the middle between the eyes."""
FACE_WINDOW = (-0.67, 0.67, -0.53, 1.15)
LEAST_FACE = 0.7
"""Mean face probability in its window; of 24 random places of photos all but 6 stay below."""
SURE_EYE = 0.5
"""Peak probability of an eye that is clear enough to say where it is."""
EYE_AREA_ABOVE = 0.10
"""How far the middle of what the parser calls eyes (lids, no eyeball) lies above the eyes' centres, in eye distances.

Measured on 16 rendered faces: 0.101, standard deviation 0.006.
"""
LEANING_DEG = 20.0
"""Heads that lean more must show both eyes clearly: nothing else says how far they lean."""
CLEAR_SCORE = 2.8
"""`parser_eyes` moves the eyes of no face that scores less.

It takes the error of YuNet on rendered faces from .11 to .16 of their eye distance to .02, leaning or not; what it does
to photos of people stands in docs/detection.md.
"""
BATCH = 16


def parser_check(parser: nn.Module, portrait_px: int) -> Check:
    """The check of a bundle: the sum of the parser's highest probabilities of each eye and the lips in their places.

    0 where it sees no face. Eyes are moved to where the parser sees them, if that looks no worse.
    """

    def check(photo: Photo, faces: Sequence[FoundFace]) -> list[tuple[float, FoundFace]]:
        looks, moved = [], []
        for index, (face, regions) in enumerate(_regions(parser, photo, faces, portrait_px)):
            looks.append((_score(face, regions), face))
            straightened = _straightened(face, regions)
            if straightened is not face:
                moved.append((index, straightened))
        again = _regions(parser, photo, [face for _, face in moved], portrait_px)
        for (index, _), (face, regions) in zip(moved, again, strict=True):
            looks[index] = max((_score(face, regions), face), looks[index], key=lambda look: look[0])
        return looks

    return check


def parser_eyes(parser: nn.Module, portrait_px: int) -> Straighten:
    """Moves eyes to where the parser of a bundle sees them, of faces that it sees clearly."""

    def straighten(photo: Photo, faces: Sequence[FoundFace]) -> list[FoundFace]:
        return [
            _straightened(face, regions) if _score(face, regions) >= CLEAR_SCORE else face
            for face, regions in _regions(parser, photo, faces, portrait_px)
        ]

    return straighten


def _regions(
    parser: nn.Module, photo: Photo, faces: Sequence[FoundFace], portrait_px: int
) -> Iterator[tuple[FoundFace, Tensor]]:
    """Each face with the parser's probabilities `(1, channels, s, s)` on its portrait."""
    device = next(parser.parameters()).device
    for start in range(0, len(faces), BATCH):
        some = list(faces[start : start + BATCH])
        with torch.inference_mode():
            regions = parser(stack_portraits([photo] * len(some), some, portrait_px).to(device)).sigmoid()
        yield from zip(some, regions.float().cpu().split(1), strict=True)


def _map(regions: Tensor, name: str) -> NDArray[np.float32]:
    """One region's probabilities, `(s, s)`."""
    probabilities: NDArray[np.float32] = region(regions, name)[0, 0].numpy()
    return probabilities


def _window(
    seen: NDArray[np.float32], face: FoundFace, across: float, around: tuple[float, float, float, float]
) -> tuple[NDArray[np.float32], int, int]:
    """The part of a region's map around a place `across` eye distances right of the eyes' middle; its left and top."""
    unit = face.framing.eye_distance * len(seen)
    x, y = (place * len(seen) for place in face.framing.eye_middle)
    left, right, top, bottom = around
    columns = [round(min(max(x + (across + side) * unit, 0), len(seen) - 1)) for side in (left, right)]
    rows = [round(min(max(y + side * unit, 0), len(seen) - 1)) for side in (top, bottom)]
    return seen[rows[0] : rows[1] + 1, columns[0] : columns[1] + 1], columns[0], rows[0]


def _score(face: FoundFace, regions: Tensor) -> float:
    lips, eyes, whole = (_map(regions, name) for name in ("lips", "eyes", "face"))
    if _window(whole, face, 0, FACE_WINDOW)[0].mean() < LEAST_FACE:
        return 0.0
    seen = [_window(eyes, face, side, EYE_WINDOW)[0].max() for side in (-0.5, 0.5)]
    if abs(face.roll_deg) > LEANING_DEG and min(seen) < SURE_EYE:
        return 0.0
    return float(sum(seen) + _window(lips, face, 0, MOUTH_WINDOW)[0].max())


def _straightened(face: FoundFace, regions: Tensor) -> FoundFace:
    """The face with its eyes where the parser sees both, if it is sure of them."""
    size = regions.shape[-1]
    back = cv2.invertAffineTransform(portrait_transform(face, size))
    seen = []
    for side in (-0.5, 0.5):
        part, left, top = _window(_map(regions, "eyes"), face, side, LEANING_EYE_WINDOW)
        weight = np.where(part > 0.1, part, 0)
        if part.max() < SURE_EYE:
            return face
        rows, columns = np.indices(part.shape)
        seen.append(np.array([left + np.average(columns, weights=weight), top + np.average(rows, weights=weight)]))
    across = seen[1] - seen[0]
    below = np.array([-across[1], across[0]]) * EYE_AREA_ABOVE
    left_eye, right_eye = (back @ [*(eye + below), 1] for eye in seen)
    return replace(
        face,
        left_eye=(float(left_eye[0]), float(left_eye[1])),
        right_eye=(float(right_eye[0]), float(right_eye[1])),
    )
