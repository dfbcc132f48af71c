"""Finds faces in a photo: `find_face` the one that everything measured so far rests on, `find_faces` all of them.

Without a detector network the cascades search: upright, and in copies turned to either side for heads that lean. They
take many things for faces; `Check`, a network's second look at each, sorts them out, so searching may be generous.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from diffam_core.errors import FaceTooSmall, NoFaceFound
from diffam_core.faces.cascades import (
    Box,
    Find,
    all_boxes,
    boxes,
    calm_eyes,
    eyes_in,
    profile_boxes,
    turned,
    usual_eyes,
)
from diffam_core.faces.face import SMALLEST_EYE_DISTANCE_PX, FoundFace, scale_face
from diffam_core.faces.framing import MINIATURE, Framing
from diffam_core.faces.palette import palette_of
from diffam_core.faces.yunet import yunet_faces
from diffam_core.images import Photo

Check = Callable[[Photo, Sequence[FoundFace]], list[tuple[float, FoundFace]]]
"""A second look at what may be faces: how many of both eyes and mouth each shows, 0 to 3, and where its eyes are."""
FACE_SCORE = 1.35
"""`Check` must see this much of what `find_face` returns: real faces score 1.5 to 2.9, masked ones 1.9."""
CONFIRMED_SCORE = 1.82
"""The same for what two searches agree on: half a face scores 1.88, a flag's folds 1.76."""
ALONE_SCORE = 2.82
"""The same for what one search alone found: rendered faces score 2.85 and more, a space suit's front up to 2.77."""
TURN_DEG = 8.0
"""A leaning head's eyes are moved to where `check` sees them; of an upright one the detector's own are more exact."""
PROFILE_SEARCH_PX = 400
"""The profile cascade is the slowest, and what it finds is only reported.

With 10 neighbours it saw nothing in 11 photos without profiles and the man in all 4 with one.
"""
SEARCH_PX = 720
"""`find_face` looks at a copy whose longer side has at most this many pixels."""
GROUP_SEARCH_PX = 1600
"""`find_faces` looks for further faces at a copy of this size."""
SMALLEST_SHARE = 0.0225
"""They are at least this share of its longer side wide: most of a search's time goes to the smallest."""
SMALLEST_BOX_PX = 28
"""And this many pixels: smaller ones could not be protected."""
LEANS_DEG = {15.0: (1.0, (1.15, 1.1)), -15.0: (1.0, (1.15, 1.1)), 30.0: (1.5, (1.15,)), -30.0: (1.5, (1.15,))}
"""How far searched copies are turned: with how many times the smallest size, and ratios of one size to the next.

Upright faces show in both small turns (no turn and 30 degrees found 49 faces where these found 51). A face that lies
between two sizes of one grid lies near one of the other's.
"""
SAME_FACE = 0.5
"""Two finds whose eyes' middles lie closer than this share of the larger box are one face."""
INSIDE = 0.6
"""A box is a part of a larger one's face when it shares more of its area."""


def find_face(photo: Photo, framing: Framing = MINIATURE, yunet: cv2.FaceDetectorYN | None = None) -> FoundFace:
    """The largest upright face of a photo. Raises NoFaceFound, FaceTooSmall.

    framing: of the portraits to be cut out of it.  yunet: the detector to use; OpenCV's cascades without one.
    """
    face = _largest(photo, framing, yunet)
    if face is None:
        height, width = photo.shape[:2]
        raise NoFaceFound(f"no face was found in this {width} x {height} photo")
    if face.eye_distance_px < SMALLEST_EYE_DISTANCE_PX:
        raise FaceTooSmall(
            f"the eyes are {face.eye_distance_px:.0f} pixels apart, {SMALLEST_EYE_DISTANCE_PX:.0f} needed"
        )
    return face


def find_faces(
    photo: Photo,
    framing: Framing = MINIATURE,
    yunet: cv2.FaceDetectorYN | None = None,
    check: Check | None = None,
    smallest_share: float = SMALLEST_SHARE,
) -> list[FoundFace]:
    """All faces of a photo, largest first, then left to right; empty when there is none.

    Faces with a `code` are reported, not protected. What `find_face` returns is among them, if `check` agrees.
    smallest_share: width of the smallest faces that the cascades look for, as a share of the photo's longer side.
    """
    copy, scale = bounded(photo, GROUP_SEARCH_PX)
    surest = _largest(copy, framing, yunet)
    small, _, margin = _padded(copy, GROUP_SEARCH_PX, 16)
    finds: list[Find] = []  # with neither: the cascades take too much for a face to be generous unchecked
    if yunet is not None:
        finds = _inside(yunet_faces(yunet, small), margin, small)
    elif check is not None:
        finds = _generous_search(small, margin, max(SMALLEST_BOX_PX, round(smallest_share * max(copy.shape))))
    looks = _look(copy, [_to_photo(find, 1.0, margin, framing) for find in finds], check, CONFIRMED_SCORE)
    others = [(score, face) for score, face in looks if score >= ALONE_SCORE or _is_confirmed(face, looks, surest)]
    kept = _distinct(_surest(copy, surest, check) + others)
    if yunet is None:
        kept += _profiles(copy, framing, kept, smallest_share)
    kept.sort(key=lambda face: (-face.box[2], face.box[0], face.box[1]))
    faces = [face if scale == 1 else scale_face(face, 1 / scale) for face in kept]
    return [_described(face, faces, photo) for face in faces]


def upright_score(photo: Photo, framing: Framing, check: Check) -> float:
    """What `check` sees of the face that `find_face` finds without a detector network; 0 when it finds none."""
    face = _largest(photo, framing, None)
    return 0.0 if face is None else check(photo, [face])[0][0]


def bounded(photo: Photo, longest_px: int) -> tuple[Photo, float]:
    """A copy whose longer side has at most `longest_px` pixels, and its scale; the photo itself if it is small."""
    scale = min(1.0, longest_px / max(photo.shape[:2]))
    if scale == 1:
        return photo, scale
    down, across = (max(scale, 1 / side) for side in photo.shape[:2])  # the thinnest photo keeps a row
    return cv2.resize(photo, None, fx=across, fy=down, interpolation=cv2.INTER_AREA).astype(np.uint8), scale


def _padded(photo: Photo, longest_px: int, room: int = 6) -> tuple[Photo, float, int]:
    """A bounded copy with its `room`-th part around it, for faces that are cut off: the copy, its scale, that width."""
    small, scale = bounded(photo, longest_px)
    margin = max(small.shape) // room
    padded = cv2.copyMakeBorder(small, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
    return padded.astype(np.uint8), scale, margin


def _largest(photo: Photo, framing: Framing, yunet: cv2.FaceDetectorYN | None) -> FoundFace | None:
    """The largest upright face, of any size."""
    small, scale, margin = _padded(photo, SEARCH_PX)
    if yunet is None:
        found = _cascade_face(small, margin)
    else:
        found = max(_inside(yunet_faces(yunet, small), margin, small), key=lambda face: face.box[2], default=None)
    return None if found is None else _to_photo(found, scale, margin, framing)


def _cascade_face(small: Photo, margin: int) -> Find | None:
    """The largest upright face that OpenCV's cascades find, with its eyes."""
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    box = _largest_box(grey, margin) or _largest_box(calm_eyes(small), margin)
    return None if box is None else Find(box, *eyes_in(grey, box))


def _largest_box(grey: NDArray[Any], margin: int) -> Box | None:
    """The largest face box whose middle lies inside the padded grey photo."""
    smallest = max(24, min(grey.shape) // 12)
    for cascade, neighbours in (("frontalface_alt2", 3), ("frontalface_default", 5)):
        found = boxes(grey, cascade, 1.08, neighbours, smallest)
        inside = [box for box in found if _covers(box, margin, grey.shape)]
        if inside:
            return max(inside, key=lambda found: found[2])
    return None


def _generous_search(small: Photo, margin: int, smallest_px: int) -> list[Find]:
    """Everything that looks a little like a face, upright or leaning, its eyes where they usually are."""
    finds = []
    picture = calm_eyes(small, share=0.005)
    for lean, (times, steps) in LEANS_DEG.items():
        upright, back = turned(picture, lean)
        found = all_boxes(upright, "frontalface_alt2", steps, round(times * smallest_px))
        finds += [_turned_back(box, back) for box in found]
    return _inside(finds, margin, small)


def _turned_back(box: Box, back: NDArray[np.float64]) -> Find:
    """A find in a turned copy, as it lies in the copy that was not turned."""
    x, y, w, h = box
    middle = back @ [x + w / 2, y + h / 2, 1]
    left, right = (back @ [*eye, 1] for eye in usual_eyes(box))
    return Find((round(middle[0] - w / 2), round(middle[1] - h / 2), w, h), left, right)


def _inside(finds: Sequence[Find], margin: int, small: Photo) -> list[Find]:
    return [find for find in finds if _covers(find.box, margin, small.shape)]


def _covers(box: Box, margin: int, shape: tuple[int, ...]) -> bool:
    """Whether a box found on the padded copy has its middle inside the photo itself."""
    x, y = box[0] + box[2] / 2, box[1] + box[3] / 2
    return margin <= x < shape[1] - margin and margin <= y < shape[0] - margin


def _to_photo(find: Find, scale: float, margin: int, framing: Framing) -> FoundFace:
    """The face of a find, in the photo's own pixels."""
    x, y, w, h = (round(v) for v in (np.array(find.box) - [margin, margin, 0, 0]) / scale)
    left, right, *others = (
        (float(point[0]), float(point[1]))
        for point in ((eye - margin) / scale for eye in (find.left_eye, find.right_eye, *find.others.values()))
    )
    return FoundFace((x, y, w, h), left, right, framing, others=dict(zip(find.others, others, strict=True)))


def _look(
    photo: Photo, faces: Sequence[FoundFace], check: Check | None, least: float = FACE_SCORE
) -> list[tuple[float, FoundFace]]:
    """Faces to which `check` gives the least score or more, with it; without one all of them."""
    looks = [(3.0, face) for face in faces] if check is None else check(photo, faces)
    return [(score, face) for score, face in looks if score >= least]


def _surest(photo: Photo, face: FoundFace | None, check: Check | None) -> list[tuple[float, FoundFace]]:
    """The face that `find_face` returns, before all others, unless it is a mistake: nobody wants make-up on a wall."""
    if face is None:
        return []
    looks = _look(photo, [face], check)
    return [(math.inf, better if abs(better.roll_deg - face.roll_deg) > TURN_DEG else face) for _, better in looks]


def _distinct(looks: Sequence[tuple[float, FoundFace]]) -> list[FoundFace]:
    """One face for each place, the surest."""
    kept: list[FoundFace] = []
    for _, face in sorted(looks, key=lambda look: (-look[0], -look[1].box[2], look[1].box)):
        if not any(_is_same(face, other) for other in kept):
            kept.append(face)
    return kept


def _is_confirmed(face: FoundFace, looks: Sequence[tuple[float, FoundFace]], surest: FoundFace | None) -> bool:
    """Whether another search found the face, too, in that place and size: a big box around it says nothing."""
    others = [other for _, other in looks if other is not face] + ([surest] if surest else [])
    return any(_apart(face, other) < SAME_FACE * min(face.box[2], other.box[2]) for other in others)


def _is_same(one: FoundFace, other: FoundFace) -> bool:
    """Whether two finds are one face: eyes in one place, or a box inside the other's."""
    return _apart(one, other) < SAME_FACE * max(one.box[2], other.box[2]) or _shared(one.box, other.box) > INSIDE


def _apart(one: FoundFace, other: FoundFace) -> float:
    """Pixels between the middles of their eyes."""
    return float(np.hypot(*np.subtract(one.eye_middle, other.eye_middle)))


def _profiles(photo: Photo, framing: Framing, known: Sequence[FoundFace], smallest_share: float) -> list[FoundFace]:
    """Faces that only the profile cascade sees; their eyes are where a frontal face has them."""
    small, scale, margin = _padded(photo, PROFILE_SEARCH_PX)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    smallest_px = max(24, min(grey.shape) // 12, round(smallest_share * max(photo.shape) * scale))
    found = profile_boxes(grey, 1.1, 10, smallest_px)
    finds = _inside([Find(box, *usual_eyes(box)) for box in found], margin, small)
    seen = _distinct([(0.0, _to_photo(find, scale, margin, framing)) for find in finds])
    return [replace(face, code="face_in_profile") for face in seen if not any(_is_same(face, o) for o in known)]


def _described(face: FoundFace, faces: Sequence[FoundFace], photo: Photo) -> FoundFace:
    """The face with its code and notes."""
    height, width = photo.shape[:2]
    x, y, w, h = face.box
    notes = []
    if min(x, y, width - x - w, height - y - h) < -0.05 * w:
        notes.append("face_cut_off")
    if any(_shared(face.box, other.box) > 0.1 for other in faces if other is not face):
        notes.append("face_overlaps")
    is_small = face.eye_distance_px < SMALLEST_EYE_DISTANCE_PX
    if not (face.code or is_small):
        notes += palette_of(photo, face).notes
    return replace(face, code=face.code or ("face_too_small" if is_small else None), notes=tuple(notes))


def _shared(one: Box, other: Box) -> float:
    """The common area of two boxes as a share of the smaller one."""
    across, down = (min(one[i] + one[i + 2], other[i] + other[i + 2]) - max(one[i], other[i]) for i in (0, 1))
    return max(across, 0) * max(down, 0) / max(1, min(one[2] * one[3], other[2] * other[3]))
