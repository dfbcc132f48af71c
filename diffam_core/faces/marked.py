"""Faces that people mark by hand: both eyes are known, all else is where it is in a usual face."""

from collections.abc import Sequence
from dataclasses import replace

from diffam_core.faces.detection import described, is_same
from diffam_core.faces.face import FoundFace
from diffam_core.faces.framing import Framing
from diffam_core.images import Photo

Point = tuple[float, float]
USUAL = {"nose": (0.5, 0.57), "left_mouth": (0.09, 1.16), "right_mouth": (0.92, 1.16)}
"""Where it is from the left eye, along the eyes and at a right angle, in eye distances: InsightFace's template."""
WIDE, BELOW = 2.4, 0.3
"""Side of a usual box, and how far its middle lies below the eyes', in eye distances: as detectors draw them."""


def mark_faces(
    photo: Photo, found: Sequence[FoundFace], marks: Sequence[tuple[Point, Point]], framing: Framing
) -> tuple[list[FoundFace], tuple[int, ...]]:
    """What was found and what was marked, and the indices of the latter.

    A mark where a face was found takes its place and its number; others are numbered on. marks: the eyes, in photo
    pixels, left one of the picture first, of a face that stands upright or leans.
    """
    faces, marked = list(found), []
    for left, right in marks:
        face = usual_face(left, right, framing)
        place = next((index for index, other in enumerate(faces) if is_same(face, other)), len(faces))
        faces[place:] = [face, *faces[place + 1 :]]
        marked.append(place)
    numbers = tuple(sorted(set(marked)))
    for number in numbers:
        face = described(faces[number], faces, photo)
        faces[number] = replace(face, notes=("face_marked", *face.notes))
    return faces, numbers


def usual_face(left_eye: Point, right_eye: Point, framing: Framing) -> FoundFace:
    """A face of usual proportions with its eyes there."""
    across, down = right_eye[0] - left_eye[0], right_eye[1] - left_eye[1]

    def place(along: float, below: float) -> Point:
        return left_eye[0] + along * across - below * down, left_eye[1] + along * down + below * across

    side = WIDE * float(across**2 + down**2) ** 0.5
    x, y = place(0.5, BELOW)
    box = (round(x - side / 2), round(y - side / 2), round(side), round(side))
    others = {name: place(*where) for name, where in USUAL.items()}
    return FoundFace(box, left_eye, right_eye, framing, others=others)
