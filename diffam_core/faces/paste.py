"""Pastes what make-up changes back into the full-size photo, where the face is; no other pixel moves."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from diffam_core.faces.face import (
    FoundFace,
    portrait_transform,
)
from diffam_core.images import Photo

Change = Float[Tensor, "3 size size"]
STRIP_PX = 2**18
"""Large faces are pasted in strips of at most so many pixels: floats of one are 3 megabytes."""


def paste_change(photo: Photo, face: FoundFace, change: Change, out: Photo | None = None) -> Photo:
    """The photo with a change (in units of [-1, 1] portraits) added where the face is.

    Pixels whose change rounds to nothing keep their bytes.  out: where to write, instead of into a new copy; holds the
    photo already and may be the photo itself.
    """
    return paste_changes(photo, [(face, change)], out)


def paste_changes(
    photo: Photo, changes: Sequence[tuple[FoundFace, Float[Tensor, "3 _ _"]]], out: Photo | None = None
) -> Photo:
    """The photo with every face's change added; `out` as in `paste_change`.

    Where changes c of several faces meet, `sum(c |c|) / sum(|c|)` is added: the larger one wins softly, so that nothing
    is doubled and no seam shows. A pixel that one change reaches gets exactly that one. Works in strips of rows.
    """
    result = photo.copy() if out is None else out
    layers = [(_Layer(face, change), _reach(face, photo)) for face, change in changes]
    for group in _groups(layers):
        left, top = (min(reach[i] for _, reach in group) for i in (0, 1))
        right, bottom = (max(reach[i] for _, reach in group) for i in (2, 3))
        rows = max(1, STRIP_PX // max(1, right - left))
        for start in range(top, bottom, rows):
            area = (left, start, right, min(start + rows, bottom))
            near = [layer for layer, reach in group if _meet(reach, area)]
            if near:
                part = result[area[1] : area[3], left:right]
                part[...] = cv2.add(_blended([layer.warped(area) for layer in near]), part, dtype=cv2.CV_8U)
    return result


Area = tuple[int, int, int, int]
"""Left, top, right and bottom in photo pixels; the last two lie outside."""


class _Layer:
    """A change with the transform from photo pixels to its own, ready to be warped part by part."""

    def __init__(self, face: FoundFace, change: Change) -> None:
        self._bytes = np.ascontiguousarray(change.detach().float().cpu().numpy().transpose(1, 2, 0)) * 127.5
        self._transform = portrait_transform(face, change.shape[-1])

    def warped(self, area: Area) -> NDArray[np.float32]:
        """The change of the photo's bytes on an area."""
        left, top, right, bottom = area
        transform = self._transform.copy()
        transform[:, 2] += transform[:, :2] @ [left, top]
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        warped = cv2.warpAffine(self._bytes, transform, (right - left, bottom - top), flags=flags)
        return warped.astype(np.float32, copy=False)


def _blended(changes: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """One change out of several, see `paste_changes`; each pixel that only one reaches has that one's exact value."""
    if len(changes) == 1:
        return changes[0]
    total, weight, squares, largest = (np.zeros_like(changes[0]) for _ in range(4))
    for change in changes:
        size = np.abs(change)
        total += change
        weight += size
        squares += change * size
        np.maximum(largest, size, out=largest)
    return np.where(largest == weight, total, squares / np.maximum(weight, 1e-12))


def _reach(face: FoundFace, photo: Photo) -> Area:
    """The area of a photo that a face's portrait covers."""
    height, width = photo.shape[:2]
    inverse = cv2.invertAffineTransform(portrait_transform(face, 1))
    corners = inverse @ np.array([[-0.5, 0.5, -0.5, 0.5], [-0.5, -0.5, 0.5, 0.5], [1, 1, 1, 1]], dtype=np.float64)
    left, top = np.clip(np.floor(corners.min(axis=1)).astype(int) - 1, 0, [width, height])
    right, bottom = np.clip(np.ceil(corners.max(axis=1)).astype(int) + 2, 0, [width, height])
    return int(left), int(top), int(right), int(bottom)


def _meet(one: Area, other: Area) -> bool:
    return all(max(one[i], other[i]) < min(one[i + 2], other[i + 2]) for i in (0, 1))


def _groups(layers: list[tuple[_Layer, Area]]) -> list[list[tuple[_Layer, Area]]]:
    """Layers that meet, directly or through others, together."""
    groups: list[list[tuple[_Layer, Area]]] = []
    for layer in layers:
        touched = [group for group in groups if any(_meet(layer[1], area) for _, area in group)]
        groups = [group for group in groups if group not in touched]
        groups.append([layer, *(member for group in touched for member in group)])
    return groups
