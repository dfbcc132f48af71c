"""What an evaluation does to finished photos before recognisers look: survival profiles, and another aligner's crop."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from diffam_core.faces.face import FoundFace
from diffam_core.images import Photo
from protection.survival import PROFILES, treat


def _keep(photo: Photo) -> Photo:
    return photo


def _in_place(face: FoundFace) -> FoundFace:
    return face


@dataclass(frozen=True)
class Treatment:
    """What it imitates, what it does to the photo, and where the observer's aligner then puts the face."""

    title: str
    photo: Callable[[Photo], Photo] = _keep
    face: Callable[[FoundFace], FoundFace] = _in_place


def _off_centre(face: FoundFace) -> FoundFace:
    """Eyes taken 3 % of the crop too far right, 2 % too low and 4 % too far apart."""
    right, down, wider = 0.03 * face.side_px, 0.02 * face.side_px, 0.02 * face.eye_distance_px
    (left_x, left_y), (right_x, right_y) = face.left_eye, face.right_eye
    return replace(
        face,
        left_eye=(left_x + right - wider, left_y + down),
        right_eye=(right_x + right + wider, right_y + down),
    )


def _survival(name: str) -> Treatment:
    return Treatment(PROFILES[name].title, partial(treat, profile=PROFILES[name]))


TREATMENTS = {
    "clean": Treatment("the finished file"),
    **{name: _survival(name) for name in ("jpeg75", "jpeg50", "half", "blur", "screenshot")},
    "recrop": Treatment("off-centre crop", face=_off_centre),
}
