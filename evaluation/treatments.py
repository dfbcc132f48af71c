"""What an evaluation does to finished photos before recognisers see them, and how an observer finds the face there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from diffam_client.contract import wish
from diffam_core.faces.cascades import CascadeDetector
from diffam_core.faces.detection import Detector
from diffam_core.faces.face import FoundFace
from diffam_core.faces.yunet import YunetDetector
from diffam_core.images import Photo
from evaluation.washing import wash
from model_store.bundle import Bundle
from protection.measuring.survival import PROFILES, Profile, treat

Alter = Callable[[Bundle, Sequence[Photo], Sequence[FoundFace]], list[Photo]]
"""`alter(bundle, photos, faces)`: what becomes of photos whose faces are known."""


def _as_they_are(_bundle: Bundle, photos: Sequence[Photo], _faces: Sequence[FoundFace]) -> list[Photo]:
    return list(photos)


def _treated(profile: Profile, _bundle: Bundle, photos: Sequence[Photo], _faces: Sequence[FoundFace]) -> list[Photo]:
    return [treat(photo, profile) for photo in photos]


@dataclass(frozen=True)
class Treatment:
    """What happens to the photos, if anything, and where the observer's aligner puts a face that was found in one.

    is_found_by_another: whether observers use another detector than the bundle's or the judges', for the gallery too.
    """

    title: str
    alter: Alter = _as_they_are
    aligned: Callable[[FoundFace], FoundFace] = lambda face: face
    is_found_by_another: bool = False


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
    **{name: Treatment(PROFILES[name].title, partial(_treated, PROFILES[name])) for name in SURVIVED},
    "washed": Treatment("noise, our denoiser, our make-up remover", wash),
    "recrop": Treatment("off-centre crop", aligned=_off_centre),
    "other_detector": Treatment("found and aligned by another detector", is_found_by_another=True),
}


def treatments_of(bundle: Bundle) -> dict[str, Treatment]:
    """All that can be measured with a bundle: without a second detector at hand, not that; and nobody aligns a face for
    judges, where they alone are there."""
    has_other, has_own = other_detector(bundle) is not None, bool(bundle.models.recognisers)
    return {
        name: each
        for name, each in TREATMENTS.items()
        if (has_other or not each.is_found_by_another) and (has_own or name != "recrop")
    }


def other_detector(bundle: Bundle) -> Detector | None:
    """The cascades for a bundle that uses YuNet, YuNet for one that uses those; None where its file is not at hand."""
    own = bundle.models.detector
    if isinstance(own, YunetDetector):
        return CascadeDetector(own.framing)
    return None if bundle.judges is None else YunetDetector(own.framing, bundle.judges.landmarks)
