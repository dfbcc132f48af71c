"""What is told of a job, said once: how far the work is, and of every face what became of it and what that is worth.

Web, worker, command line and album read the same models; OpenAPI describes them to everybody else.
"""

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from diffam_client.contract.wish import Treatment

Stage = Literal["detect", "invert", "make_up", "composite", "refine", "score", "load", "remove_makeup", "fine_tune"]
STAGES: dict[Stage, tuple[float, float]] = {
    "detect": (0.0, 0.05),
    "invert": (0.05, 0.45),
    "make_up": (0.45, 0.75),
    "composite": (0.75, 0.8),
    "refine": (0.8, 0.9),
    "score": (0.9, 1.0),
}
"""Of a photo, in order: the share of the running time that is over when each begins and ends; rough, for a bar only."""
LONG_STAGES: dict[Stage, tuple[float, float]] = {
    "load": (0.0, 0.02),
    "remove_makeup": (0.02, 1.0),  # a new reference
    "fine_tune": (0.02, 1.0),  # a new style
}
Role = Literal["surrogate", "held_out"]
Word = Literal["strong", "partial", "weak"]
Point = tuple[float, float]
Box = tuple[int, int, int, int]


class Told(BaseModel):
    """Immutable. What a later version tells besides is no reason to refuse the rest."""

    model_config = ConfigDict(frozen=True, extra="ignore", validate_by_name=True, serialize_by_alias=True)


def _fraction(told: dict[str, Any]) -> float:
    begin, end = (LONG_STAGES | STAGES)[told["stage"]]
    step, steps = told["step"], told["steps"]
    share = min(max(step / steps, 0.0), 1.0) if steps else 1.0
    return round(begin + share * (end - begin), 4)


class Progress(Told):
    """How far the work is."""

    stage: Stage = Field(description="What is being done")
    step: int = Field(description="How many steps of the stage are done")
    steps: int = Field(description="How many it has")
    fraction: float = Field(default_factory=_fraction, description="Of the whole job, from 0 to 1; rough")
    losses: dict[str, float] | None = Field(None, description="Terms of the loss, by name; while a style is fine-tuned")
    eta_s: float | None = Field(None, description="Seconds left of the stage; while a style is fine-tuned")


OnProgress = Callable[[Progress], None]
"""Told at each stage's start, steps and end; what it raises stops the work."""


class Match(Told):
    """What one recogniser makes of a face, in cosines from -1 to 1: higher is more alike."""

    name: str = Field(description="The recogniser")
    role: Role = Field(description="`surrogate`: style or refinement attacked it; `held_out`: neither asked it")
    own_match_before: float = Field(description="The original face and its owner: 1, for they are the same")
    own_match: float = Field(description="The protected face and its owner")
    target_match_before: float = Field(description="The original face and the target")
    target_match: float = Field(description="The protected face and the target")
    threshold: float = Field(
        alias="threshold_far_0.01",
        description="The cosine from which on it takes two faces for one person, and 1 in 100 pairs of strangers too",
    )
    dodged: bool = Field(description="The protected face no longer matches its owner")
    impersonated: bool = Field(description="The protected face matches the target")


class Judgement(Told):
    """What the recogniser of a library makes of a face: nothing attacks it unless `role` says so."""

    name: str = Field(description="The recogniser")
    stands_for: str = Field(description="Who runs it, in words")
    role: Role = Field(description="`surrogate`: style or refinement attacked it; `held_out`: neither asked it")
    own_match: float = Field(description="Cosine of the protected face and its owner")
    target_match: float | None = Field(
        description="Cosine of the protected face and the target; null without one, or where it shows no face"
    )
    threshold: float = Field(
        alias="threshold_far_0.01",
        description="The cosine from which on it takes two faces for one person, and 1 in 100 pairs of strangers too",
    )
    thresholds_from: str = Field(description="On whom that was measured")
    dodged: bool = Field(description="The protected face no longer matches its owner")

    @property
    def impersonated(self) -> bool:
        """The protected face matches the target."""
        return self.target_match is not None and self.target_match >= self.threshold


class Survival(Told):
    """A face after one treatment of the finished file."""

    found_again: bool = Field(description="The detector still finds the face; else it is measured where it was")
    recognisers: list[Match] = Field(description="What each recogniser makes of it")
    judges: list[Judgement] = Field([], description="What recognisers of libraries make of it, where there are any")


class Verdict(Told):
    """How well a finished photo hides a face's owner from recognisers that neither style nor refinement attacked."""

    word: Word = Field(description="`strong`: hidden from all of them, `partial`: from at least half, else `weak`")
    sentence: str = Field(description="What it rests on: which of them still recognise the owner, and when")


class Scores(Told):
    """How near the protected face is to the original one."""

    psnr_db: float = Field(description="Peak signal-to-noise ratio in dB; higher is nearer")
    ssim: float = Field(description="Structural similarity, up to 1; higher is nearer")
    lpips: float = Field(description="Perceptual distance, from 0 (the same)")


class Trial(Told):
    """One strength that was tried."""

    strength: float = Field(description="From 0 (no make-up) to 1")
    passes: bool = Field(description="No held-out recogniser matched the owner")
    own_match: dict[str, float] = Field(description="Cosine to the owner, by held-out recogniser")


class StrengthSearch(Told):
    """How `strength=auto` found the strength."""

    bar: Treatment = Field(description="The treatment after which the owner must be hidden")
    passes: bool = Field(description="Some strength passes; where none does, all of the make-up is worn")
    tried: list[Trial] = Field(description="Every strength that was tried, weakest first")


class _Face(Told):
    index: int = Field(description="Its number in this photo, from 0, largest face first; `faces` of a job takes it")
    box: Box = Field(description="x, y, width and height in pixels of the upright photo")
    landmarks: dict[str, Point] = Field(
        description="x and y in pixels of the upright photo: `left_eye` and `right_eye`, as they lie in the picture, "
        "and what else the detector tells"
    )
    status: Literal["found", "left_alone", "protected"] = Field(description="What became of it")
    code: str | None = Field(None, description="Why it is left alone, or would be; /problems/{code} explains it")
    reason: str | None = Field(None, description="The same in a sentence")
    notes: list[str] = Field(description="What else to know about it, as codes: `face_cut_off`, `face_turned`, ...")


class SeenFace(_Face):
    """A face that was only looked for, or left alone."""

    status: Literal["found", "left_alone"] = Field(description="Whether it was only looked for, or left alone")


class ProtectedFace(_Face):
    """A face that was made up, and what the finished file is worth to it."""

    status: Literal["protected"] = Field("protected", description="It was made up")
    reference: str = Field(description="The make-up it wears: an id of /v1/references")
    target: str | None = Field(description="Whom it is to resemble: an id of /v1/targets; null: anybody but its owner")
    strength: float = Field(description="How much of the make-up it wears, from 0 to 1")
    strength_search: StrengthSearch | None = Field(None, description="How `auto` found the strength; null if given")
    scores: Scores = Field(description="How near it is to the original face")
    found_again: bool = Field(
        description="The detector finds it in the finished file; else it is measured where it was"
    )
    recognisers: list[Match] = Field(description="What each recogniser makes of it in the finished file")
    judges: list[Judgement] = Field(
        [], description="The same of recognisers that libraries ship; the verdict rests on them where there are any"
    )
    survival: dict[Treatment, Survival] = Field(description="The same after each treatment that was asked for")
    verdict: Verdict = Field(description="What all of that comes to")


FaceReport = Annotated[SeenFace | ProtectedFace, Field(discriminator="status")]
FACES: TypeAdapter[list[FaceReport]] = TypeAdapter(list[FaceReport])


def protected(faces: Iterable[FaceReport]) -> list[ProtectedFace]:
    """Those that were made up."""
    return [face for face in faces if isinstance(face, ProtectedFace)]
