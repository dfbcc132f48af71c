"""What an evaluation does to finished photos before recognisers see them: survival profiles, another aligner's crop."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from diffam_core.faces.face import FoundFace
from jobs import wish
from protection.survival import PROFILES, Profile


@dataclass(frozen=True)
class Treatment:
    """What happens to the photo, if anything, and where the observer's aligner puts a face that was found in it."""

    title: str
    profile: Profile | None = None
    aligned: Callable[[FoundFace], FoundFace] = lambda face: face


def _off_centre(face: FoundFace) -> FoundFace:
    """Eyes taken 3 % of the crop too far right, 2 % too low and 4 % too far apart."""
    right, down, wider = 0.03 * face.side_px, 0.02 * face.side_px, 0.02 * face.eye_distance_px
    (left_x, left_y), (right_x, right_y) = face.left_eye, face.right_eye
    return replace(
        face,
        left_eye=(left_x + right - wider, left_y + down),
        right_eye=(right_x + right + wider, right_y + down),
    )


SURVIVED: tuple[wish.Treatment, ...] = ("jpeg75", "jpeg50", "half", "blur", "screenshot")
TREATMENTS: dict[str, Treatment] = {
    "clean": Treatment("the finished file"),
    **{name: Treatment(PROFILES[name].title, PROFILES[name]) for name in SURVIVED},
    "recrop": Treatment("off-centre crop", aligned=_off_centre),
}
