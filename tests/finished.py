"""A pipeline's result without a pipeline, for tests of what happens to results."""

from dataclasses import dataclass, field
from typing import Any, Literal


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
    faces: list[dict[str, Any]] = field(default_factory=lambda: [{"box": [1, 2, 3, 4], "scores": {"psnr_db": 30.0}}])


@dataclass(frozen=True)
class FinishedPhoto:
    """All pictures of a photo."""

    candidates: list[FinishedPicture] = field(default_factory=lambda: [FinishedPicture()])
    seconds: dict[str, float] = field(default_factory=lambda: {"invert": 0.5})
