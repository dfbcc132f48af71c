"""A pipeline's result without a pipeline, for tests of what happens to results."""

from dataclasses import dataclass, field
from typing import Any, Literal

from diffam_client.contract.report import FaceReport, Match, ProtectedFace, Scores, SeenFace, Verdict


def match(**told: Any) -> Match:
    """A recogniser that was attacked, and is fooled."""
    usual: dict[str, Any] = {
        "name": "resnet", "role": "surrogate", "own_match_before": 1.0, "own_match": 0.2345,
        "target_match_before": -0.0501, "target_match": 0.5678, "threshold": 0.31, "dodged": True, "impersonated": True,
    }  # fmt: skip
    return Match(**usual | told)


def seen_face(**told: Any) -> SeenFace:
    """A face that was only looked for."""
    eyes = {"left_eye": (70.4, 80.1), "right_eye": (111.6, 81.9)}
    usual: dict[str, Any] = {"index": 0, "box": (40, 30, 100, 110), "landmarks": eyes, "status": "found", "notes": []}
    return SeenFace(**usual | told)


def protected_face(**told: Any) -> ProtectedFace:
    """A face that was made up, and judged by one recogniser."""
    usual: dict[str, Any] = seen_face().model_dump(exclude={"status"}) | {
        "reference": "rose", "target": "ada", "strength": 1.0, "scores": Scores(psnr_db=30.0, ssim=0.9, lpips=0.1),
        "found_again": True, "recognisers": [match()], "survival": {},
        "verdict": Verdict(word="weak", sentence="resnet still recognises the owner in this photo."),
    }  # fmt: skip
    return ProtectedFace(**usual | told)


@dataclass(frozen=True)
class FinishedPicture:
    """One picture."""

    photo: bytes = b"protected"
    media_type: str = "image/png"
    width: int = 96
    height: int = 80
    comparison: bytes = b"comparison"
    reference: str = "rose"
    target: str = "ada"
    strength: float | Literal["auto"] = 1.0
    faces: list[FaceReport] = field(default_factory=lambda: [protected_face()])
    undo: bytes | None = None


@dataclass(frozen=True)
class FinishedPhoto:
    """All pictures of a photo."""

    candidates: list[FinishedPicture] = field(default_factory=lambda: [FinishedPicture()])
    seconds: dict[str, float] = field(default_factory=lambda: {"invert": 0.5})
