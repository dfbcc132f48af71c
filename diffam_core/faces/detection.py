"""Faces in a photo: what a detector is, and what its kinds share: one place one face, and what to know about it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from numpy.typing import NDArray

from diffam_core.errors import FaceTooSmall, NoFaceFound
from diffam_core.faces.face import SMALLEST_EYE_DISTANCE_PX, FoundFace, scale_face
from diffam_core.faces.framing import Framing
from diffam_core.faces.landmarks import FIVE
from diffam_core.faces.palette import palette_of
from diffam_core.images import Photo

Box = tuple[int, int, int, int]
Point = NDArray[np.float64]
Check = Callable[[Photo, Sequence[FoundFace]], list[tuple[float, FoundFace]]]
"""A second look at what may be faces: how many of both eyes and mouth each shows, 0 to 3, and where its eyes are."""
Straighten = Callable[[Photo, Sequence[FoundFace]], list[FoundFace]]
"""The same faces, with their eyes where a second look sees them clearly."""
SEARCH_PX = 720
"""`largest` looks at a copy whose longer side has at most this many pixels."""
GROUP_SEARCH_PX = 1600
"""`all` looks for further faces at a copy of this size."""
SMALLEST_SHARE = 0.0225
"""They are at least this share of its longer side wide: most of a search's time goes to the smallest."""
SAME_FACE = 0.5
"""Two finds whose eyes' middles lie closer than this share of the larger box are one face."""
INSIDE = 0.6
"""A box is a part of a larger one's face when it shares more of its area."""


@runtime_checkable
class Detector(Protocol):
    """Finds faces, and frames them as the networks of a bundle expect. Threads may share one."""

    @property
    def name(self) -> str:
        """Its kind, as manifests call it."""
        ...

    @property
    def framing(self) -> Framing:
        """Of the portraits to be cut out of the faces."""
        ...

    def largest(self, photo: Photo) -> FoundFace:
        """The largest upright face of a photo. Raises NoFaceFound, FaceTooSmall."""
        ...

    def all(self, photo: Photo, smallest_share: float = SMALLEST_SHARE, may_be_turned: bool = True) -> list[FoundFace]:
        """All faces of a photo, largest first, then left to right; those with a `code` are reported, not protected.

        smallest_share: width of the smallest that are looked for, as a share of the photo's longer side.
        may_be_turned: whether a photo that lies on its side or on its head is tried in other turns.
        """
        ...


@dataclass(frozen=True)
class Find:
    """What a detector saw: box, both eyes (image left first) and further landmarks, in pixels of what it searched.

    score: how sure it is, on its own scale.
    """

    box: Box
    left_eye: Point
    right_eye: Point
    others: dict[str, Point] = field(default_factory=dict)
    score: float = 0.0

    @property
    def five_points(self) -> NDArray[np.float64]:
        """Eyes, nose and corners of the mouth `(5, 2)`, of a detector that sees them all."""
        return np.stack([self.left_eye, self.right_eye, *(self.others[name] for name in FIVE[2:])])


def protectable(face: FoundFace | None, photo: Photo) -> FoundFace:
    """The face that was found in a photo, if it has room for make-up. Raises NoFaceFound, FaceTooSmall."""
    if face is None:
        height, width = photo.shape[:2]
        raise NoFaceFound(f"no face was found in this {width} x {height} photo")
    if face.eye_distance_px < SMALLEST_EYE_DISTANCE_PX:
        raise FaceTooSmall(
            f"the eyes are {face.eye_distance_px:.0f} pixels apart, {SMALLEST_EYE_DISTANCE_PX:.0f} needed"
        )
    return face


def bounded(photo: Photo, longest_px: int) -> tuple[Photo, float]:
    """A copy whose longer side has at most `longest_px` pixels, and its scale; the photo itself if it is small."""
    scale = min(1.0, longest_px / max(photo.shape[:2]))
    if scale == 1:
        return photo, scale
    down, across = (max(scale, 1 / side) for side in photo.shape[:2])  # the thinnest photo keeps a row
    return cv2.resize(photo, None, fx=across, fy=down, interpolation=cv2.INTER_AREA).astype(np.uint8), scale


def scaled(photo: Photo, longest_px: int) -> tuple[Photo, float]:
    """A copy of about that size, and its scale; the shorter side of a strip keeps at least half as many pixels."""
    height, width = photo.shape[:2]
    scale = min(1.0, max(longest_px / max(height, width), longest_px / 2 / min(height, width)))
    if scale == 1:
        return photo, scale
    return cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.uint8), scale


def padded(photo: Photo, longest_px: int, room: int = 6) -> tuple[Photo, float, int]:
    """A bounded copy with its `room`-th part around it, for faces that are cut off: the copy, its scale, that width."""
    small, scale = bounded(photo, longest_px)
    margin = max(small.shape) // room
    padded = cv2.copyMakeBorder(small, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
    return padded.astype(np.uint8), scale, margin


def inside(finds: Sequence[Find], margin: int, small: Photo) -> list[Find]:
    return [find for find in finds if covers(find.box, margin, small.shape)]


def covers(box: Box, margin: int, shape: tuple[int, ...]) -> bool:
    """Whether a box found on the padded copy has its middle inside the photo itself."""
    x, y = box[0] + box[2] / 2, box[1] + box[3] / 2
    return margin <= x < shape[1] - margin and margin <= y < shape[0] - margin


def to_photo(find: Find, scale: float, margin: int, framing: Framing) -> FoundFace:
    """The face of a find, in the photo's own pixels."""
    x, y, w, h = (round(v) for v in (np.array(find.box) - [margin, margin, 0, 0]) / scale)
    left, right, *others = (
        (float(point[0]), float(point[1]))
        for point in ((eye - margin) / scale for eye in (find.left_eye, find.right_eye, *find.others.values()))
    )
    return FoundFace(
        (x, y, w, h), left, right, framing, others=dict(zip(find.others, others, strict=True)), score=find.score
    )


def distinct(looks: Sequence[tuple[float, FoundFace]]) -> list[FoundFace]:
    """One face for each place, the surest."""
    kept: list[FoundFace] = []
    for _, face in sorted(looks, key=lambda look: (-look[0], -look[1].box[2], look[1].box)):
        if not any(is_same(face, other) for other in kept):
            kept.append(face)
    return kept


def is_same(one: FoundFace, other: FoundFace) -> bool:
    """Whether two finds are one face: eyes in one place, or a box inside the other's."""
    return apart(one, other) < SAME_FACE * max(one.box[2], other.box[2]) or shared(one.box, other.box) > INSIDE


def apart(one: FoundFace, other: FoundFace) -> float:
    """Pixels between the middles of their eyes."""
    return float(np.hypot(*np.subtract(one.eye_middle, other.eye_middle)))


def shared(one: Box, other: Box) -> float:
    """The common area of two boxes as a share of the smaller one."""
    across, down = (min(one[i] + one[i + 2], other[i] + other[i + 2]) - max(one[i], other[i]) for i in (0, 1))
    return max(across, 0) * max(down, 0) / max(1, min(one[2] * one[3], other[2] * other[3]))


def told(photo: Photo, copy: Sequence[FoundFace], scale: float) -> list[FoundFace]:
    """Faces of a copy in the photo's own pixels, with their codes and notes, in the order that they are told in.

    scale: of the copy.
    """
    ordered = sorted(copy, key=lambda face: (-face.box[2], face.box[0], face.box[1]))
    faces = [face if scale == 1 else scale_face(face, 1 / scale) for face in ordered]
    return [described(face, faces, photo) for face in faces]


def described(face: FoundFace, faces: Sequence[FoundFace], photo: Photo) -> FoundFace:
    """One of the faces of a photo, with its code and notes."""
    height, width = photo.shape[:2]
    x, y, w, h = face.box
    notes = []
    if min(x, y, width - x - w, height - y - h) < -0.05 * w:
        notes.append("face_cut_off")
    if any(shared(face.box, other.box) > 0.1 for other in faces if other is not face):
        notes.append("face_overlaps")
    is_small = face.eye_distance_px < SMALLEST_EYE_DISTANCE_PX
    if not (face.code or is_small):
        notes += palette_of(photo, face).notes
    return replace(face, code=face.code or ("face_too_small" if is_small else None), notes=tuple(notes))
