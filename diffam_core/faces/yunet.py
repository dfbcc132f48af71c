"""YuNet through OpenCV: faces with five landmarks, leaning, half hidden and small ones too, where its ONNX file is.

Wu et al., YuNet: A Tiny Millisecond-level Face Detector (2023).
"""

import math
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from diffam_core.faces.detection import (
    SMALLEST_SHARE,
    Find,
    Straighten,
    distinct,
    inside,
    protectable,
    scaled,
    shared,
    to_photo,
    told,
)
from diffam_core.faces.face import FoundFace, cut_portrait, portrait_transform
from diffam_core.faces.framing import Framing
from diffam_core.faces.landmarks import is_profile, lean_deg, lean_further, with_points
from diffam_core.faces.turned import Turning, try_turned
from diffam_core.images import Photo, to_pixels

LEAST_SCORE = 0.7
"""What is a face."""
HINT_SCORE = 0.3
"""What may be one, and is worth a finer search."""
SCALES_PX = (320, 576, 1600, 4000)
"""Longer sides of the searched copies, coarsest first; the shorter side of a strip has at least half as many pixels."""
FINE_PX = 1600
"""Only what is promised is looked for beyond this copy."""
TILE_PX, OVERLAP_PX = 1600, 200
"""Larger copies are searched in tiles that share the second with their neighbours: memory has a bound."""
LEAST_WIDTH_PX = 12
"""The narrowest face that a copy shows."""
ROOM_PX = 26
"""Of a face narrower than this in the photo itself the eyes are too near each other for make-up."""
LEAST_SIDE_PX = 64
"""Smaller pictures get a border: of less than 33 pixels OpenCV's network makes numbers that mean nothing."""
SMALL_PX = 32
"""Where faces narrower than this are in a copy, smaller ones may be as well."""
LEANING_DEG = 8.0
"""Of a face that seems to lean more, the network saw only a part of its lean: it is looked at again upright."""
LEAN_SEEN = 0.74
"""How much of a lean up to 30 degrees the landmarks show, on average."""
ASIDE_DEG = 15.0
"""Seen from either side of upright, the errors of a lean point in opposite directions."""
VIEW = Framing((0.5, 0.46), 0.22)
VIEW_PX = 160
"""What is looked at again: the whole head, eyes 35 pixels apart."""
TURNING = Turning(sure=0.92, least=0.8, lead=0.02)
"""662 upright people score .87 to .95, and lead their other turns by .023 or more, but for one (-.013)."""


class Yunet:
    """The network of an ONNX file. Threads may share one: it keeps a picture's size, so each has its own copy."""

    def __init__(self, file: Path) -> None:
        """Raises ValueError when OpenCV cannot read the file, or finds no faces with it."""
        self._file = np.frombuffer(file.read_bytes(), np.uint8)
        self._threads = threading.local()
        try:
            self.faces(np.zeros((LEAST_SIDE_PX, LEAST_SIDE_PX, 3), np.uint8))
        except cv2.error as error:
            raise ValueError(f"{file.name} is not a face detector: {error}") from error

    def _network(self) -> cv2.FaceDetectorYN:
        if not hasattr(self._threads, "network"):
            nothing = np.zeros(0, np.uint8)
            self._threads.network = cv2.FaceDetectorYN.create("onnx", self._file, nothing, (320, 320), HINT_SCORE)
        network: cv2.FaceDetectorYN = self._threads.network
        return network

    def faces(self, picture: Photo, least_score: float = LEAST_SCORE) -> list[Find]:
        """Faces with eyes, nose and mouth corners in an RGB picture, the surest first.

        A row of the network is x, y, width, height, then the person's right eye, left eye, nose and mouth corners.
        """
        network = self._network()
        below, beside = (max(0, LEAST_SIDE_PX - side) for side in picture.shape[:2])
        pixels = cv2.copyMakeBorder(picture, 0, below, 0, beside, cv2.BORDER_REPLICATE) if below + beside else picture
        network.setInputSize((pixels.shape[1], pixels.shape[0]))
        _, rows = network.detect(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
        found = [] if rows is None else [_find(row) for row in rows.astype(np.float64) if np.isfinite(row).all()]
        return sorted((find for find in found if find.score >= least_score), key=lambda find: -find.score)


def _find(row: NDArray[np.float64]) -> Find:
    x, y, w, h = (round(value) for value in row[:4])
    left, right = sorted((row[4:6], row[6:8]), key=lambda eye: float(eye[0]))
    left_mouth, right_mouth = sorted((row[10:12], row[12:14]), key=lambda corner: float(corner[0]))
    others = {"nose": row[8:10], "left_mouth": left_mouth, "right_mouth": right_mouth}
    return Find((x, y, w, h), left, right, others, float(row[14]))


@dataclass(frozen=True)
class YunetDetector:
    """YuNet over scales and tiles: as coarse as will do, and finer where a copy shows small faces or hints of any.

    straighten: knows better where the eyes are.
    """

    framing: Framing
    network: Yunet
    straighten: Straighten | None = None

    @property
    def name(self) -> str:
        """Its kind, as manifests call it."""
        return "yunet"

    @property
    def turning(self) -> Turning:
        """Which scores let a photo be taken for turned."""
        return TURNING

    def largest(self, photo: Photo) -> FoundFace:
        """The largest upright face of a photo. Raises NoFaceFound, FaceTooSmall."""
        return protectable(next(iter(self.as_it_lies(photo, SMALLEST_SHARE)), None), photo)

    def all(self, photo: Photo, smallest_share: float = SMALLEST_SHARE, may_be_turned: bool = True) -> list[FoundFace]:
        """All faces, as `Detector` says."""
        faces = self.as_it_lies(photo, smallest_share)
        return try_turned(photo, faces, self, smallest_share) if may_be_turned else faces

    def as_it_lies(self, photo: Photo, smallest_share: float) -> list[FoundFace]:
        """All faces that are upright, or lean, in the photo as it is, largest first."""
        looks: list[tuple[float, FoundFace]] = []
        widest_px = math.inf
        for longest_px in SCALES_PX:
            if smallest_share * longest_px < LEAST_WIDTH_PX and longest_px < max(photo.shape[:2]):
                continue
            copy, scale = scaled(photo, longest_px)
            finds = inside(list(self._search(copy)), 0, copy)
            new = [find for find in finds if find.box[2] / scale <= widest_px]
            looks += [(find.score, to_photo(find, scale, 0, self.framing)) for find in new]
            is_content = not _promises_more(finds, new, is_first=widest_px == math.inf)
            if scale == 1 or (is_content and (longest_px >= FINE_PX or LEAST_WIDTH_PX / scale <= ROOM_PX)):
                break
            if is_content:  # what is wider was to be seen in this copy
                widest_px = min(widest_px, SMALL_PX / scale)
        faces = distinct([look for look in looks if look[0] >= LEAST_SCORE])
        described = [self._described(photo, face) for face in faces]
        return told(photo, self.straighten(photo, described) if self.straighten else described, 1.0)

    def surest(self, photo: Photo) -> float:
        """The score of the surest face in a small copy, 0 without any."""
        return max((find.score for find in self._search(scaled(photo, SCALES_PX[0])[0])), default=0.0)

    def _search(self, copy: Photo) -> Iterator[Find]:
        """Faces and hints of them in a copy, in its pixels; a face that the edge of a tile cuts is another tile's."""
        height, width = copy.shape[:2]
        for top, bottom in _tiles(height):
            for left, right in _tiles(width):
                for find in self.network.faces(np.ascontiguousarray(copy[top:bottom, left:right]), HINT_SCORE):
                    x, y, w, h = find.box
                    is_cut = (x < 0 < left) or (y < 0 < top) or (left + x + w > right < width)
                    if not (is_cut or top + y + h > bottom < height):
                        yield _shifted(find, left, top)

    def _described(self, photo: Photo, face: FoundFace) -> FoundFace:
        """The face with the landmarks of its upright view, and its code when it looks aside."""
        lean = lean_deg(face)
        if abs(lean) > LEANING_DEG:
            face = self._seen_upright(photo, lean_further(face, lean * (1 / LEAN_SEEN - 1)), (0.0,))
            face = self._seen_upright(photo, face, (-ASIDE_DEG, ASIDE_DEG))
        return replace(face, code="face_in_profile") if is_profile(face) else face

    def _seen_upright(self, photo: Photo, face: FoundFace, leans: Sequence[float]) -> FoundFace:
        """The face with the mean of the landmarks that are seen in views turned by these degrees; else as it is."""
        seen = []
        for lean in leans:
            view = replace(lean_further(face, lean), framing=VIEW)
            find = portrayed(self.network.faces(to_pixels(cut_portrait(photo, view, VIEW_PX)[0])), VIEW, VIEW_PX)
            if find is not None:
                back = cv2.invertAffineTransform(portrait_transform(view, VIEW_PX))
                seen.append(find.five_points @ back[:, :2].T + back[:, 2])
        return with_points(face, np.mean(seen, axis=0)) if seen else face


def portrayed(finds: Sequence[Find], framing: Framing, side_px: int) -> Find | None:
    """The find whose eyes are where a portrait has them; None when the nearest is half their distance away."""
    middle = np.array(framing.eye_middle) * side_px - 0.5

    def away(find: Find) -> float:
        return float(np.hypot(*((find.left_eye + find.right_eye) / 2 - middle)))

    nearest = min(finds, key=away, default=None)
    return None if nearest is None or away(nearest) > framing.eye_distance * side_px / 2 else nearest


def _tiles(side: int) -> list[tuple[int, int]]:
    """Where tiles begin and end along a side."""
    starts = range(0, max(1, side - OVERLAP_PX), TILE_PX - OVERLAP_PX)
    return [(start, min(side, start + TILE_PX)) for start in starts]


def _shifted(find: Find, left: int, top: int) -> Find:
    x, y, w, h = find.box
    by = np.array([left, top], np.float64)
    others = {name: point + by for name, point in find.others.items()}
    return replace(
        find, box=(x + left, y + top, w, h), left_eye=find.left_eye + by, right_eye=find.right_eye + by, others=others
    )


def _promises_more(finds: list[Find], new: list[Find], is_first: bool) -> bool:
    """Whether a finer search may show more: small faces, something beside the faces, or at first nothing at all.

    new: those of the copy's finds that coarser ones could not show.
    """
    sure = [find for find in finds if find.score >= LEAST_SCORE]
    hints = [find for find in new if find.score < LEAST_SCORE]
    beside = [hint for hint in hints if not any(shared(hint.box, face.box) > 0 for face in sure)]
    return (is_first and not sure) or bool(beside) or any(find.box[2] < SMALL_PX for find in sure)
