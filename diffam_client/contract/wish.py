"""What may be asked of a photo, said once: the form, the command line, the album, the ledger and the worker read this.

Every field takes what a form or an option can spell, a text, as well as what JSON can.
"""

from math import dist
from typing import Annotated, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

OutputFormat = Literal["png", "jpeg", "webp", "avif", "heic"]
Strength = Annotated[float, Field(ge=0, le=1)] | Literal["auto"]
Region = Literal["lips", "eyes", "skin"]
REGIONS: tuple[Region, ...] = ("lips", "eyes", "skin")
Vary = Literal["strength", "look"]
Effort = Literal["quick", "thorough"]
Treatment = Literal["jpeg75", "jpeg50", "half", "blur", "screenshot", "messenger"]
Keep = Literal["credit", "copyright", "date"]
MAX_CANDIDATES = 3
MAX_FACES = 64
MAX_MARKED = 16
NEAREST_EYES_PX = 12.0
"""Between the eyes of a face that is marked by hand; with fewer there is no room for make-up."""
WIDEST_EYES = 2 / 3
"""Their distance is at most this share of the photo's longer side."""

Point = tuple[float, float]
"""x and y, in pixels; whole numbers are pixels' centres."""
SEVERAL = object()
"""Stands in the annotation of a field that is a list: sent more than once in a form, it means all of them."""

Id = Annotated[str, Field(min_length=1, max_length=64)]


def _words(text: object) -> object:
    """Form fields are strings: "lips, eyes" is a list, each word counted once."""
    if not isinstance(text, str):
        return text
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _numbers(text: object) -> object:
    """The same of numbers, each of which counts."""
    return tuple(word.strip() for word in text.split(",") if word.strip()) if isinstance(text, str) else text


def _fours(numbers: tuple[float, ...]) -> tuple[float, ...]:
    if len(numbers) % 4:
        raise ValueError(f"eyes are x,y,x,y for each face: four numbers, or a multiple of four, not {len(numbers)}")
    return numbers


def _choice(text: object) -> object:
    """`all` and `largest` are words; anything else is a list of indices."""
    return text.strip() if isinstance(text, str) and text.strip() in ("all", "largest") else _words(text)


def _judges(text: object) -> object:
    """`all` and `none` are words; anything else is a list of names."""
    return {"all": None, "none": ()}.get(text.strip(), _words(text)) if isinstance(text, str) else text


def _spelled(pattern: str, example: str) -> WithJsonSchema:
    """How OpenAPI tells of a form field; answers show the JSON that it became."""
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$", "examples": [example]}, mode="validation")


def _list_of(words: tuple[str, ...]) -> WithJsonSchema:
    """The same of a comma-separated list of some words."""
    either = "|".join(words)
    return _spelled(f"({either})(,({either}))*", ",".join(words[:2]))


NUMBER = r"[0-9]{1,6}(\.[0-9]{1,6})?"
FOUR = ",".join([NUMBER] * 4)
Words = BeforeValidator(_words)
Indices = Annotated[tuple[NonNegativeInt, ...], Field(min_length=1, max_length=MAX_FACES)]
Faces = Annotated[
    Literal["all", "largest"] | Indices,
    BeforeValidator(_choice),
    _spelled("(all|largest|[0-9]{1,4}(,[0-9]{1,4})*)", "0,2"),
    SEVERAL,
]
Skip = Annotated[
    tuple[NonNegativeInt, ...], Field(max_length=MAX_FACES), Words, _spelled("[0-9]{1,4}(,[0-9]{1,4})*", "1"), SEVERAL
]
Eyes = Annotated[
    tuple[Annotated[NonNegativeFloat, Field(allow_inf_nan=False)], ...],
    Field(max_length=4 * MAX_MARKED),
    BeforeValidator(_numbers),
    AfterValidator(_fours),
    _spelled(f"{FOUR}(,{FOUR})*", "331.8,109.1,387.9,111.2"),
    SEVERAL,
]
Regions = Annotated[tuple[Region, ...], Field(min_length=1), Words, _list_of(REGIONS), SEVERAL]
Judges = Annotated[
    tuple[Id, ...] | None,
    BeforeValidator(_judges),
    _spelled("(all|none|[a-z0-9_]{1,64}(,[a-z0-9_]{1,64})*)", "none"),
    SEVERAL,
]
Keeps = Annotated[tuple[Keep, ...], Words, _list_of(get_args(Keep)), SEVERAL]
Treatments = Annotated[tuple[Treatment, ...], Words, _list_of(get_args(Treatment)), SEVERAL]


Line = Annotated[str, Field(min_length=1, max_length=500)]


class Kept(BaseModel):
    """What was kept of an upload's metadata. null: it was not to be, or the upload does not tell it legibly."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    credit: Line | None = Field(None, description="Who made the photo")
    copyright: Line | None = Field(None, description="Its copyright notice")
    date: str | None = Field(
        None,
        pattern=r"^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d)?$",
        description="When it was taken: `2024-05-31T17:02:09` by the camera's clock, or the day alone",
    )

    @property
    def told(self) -> dict[str, str]:
        """Those that there are, by their names."""
        return {name: text for name, text in self if text is not None}


NOTHING_KEPT = Kept()


class Wish(BaseModel):
    """What to do with a photo. An unknown field is refused: silently ignoring a wish would break it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reference_id: Id = Field(description="The make-up to wear: an id from /v1/references", examples=["rose"])
    target_id: Id | None = Field(
        None,
        description="Whom to resemble: an id from /v1/targets; else the first, or nobody where faces are refined",
        examples=["aurora"],
    )
    output_format: OutputFormat = Field(
        "png",
        description="png keeps every pixel outside the make-up bit for bit; avif and heic where allowed",
    )
    quality: int = Field(92, ge=1, le=100, description="Of jpeg, webp, avif and heic, on the encoder's own scale")
    faces: Faces = Field("all", description="`all`, the `largest`, or indices from POST /v1/faces: `0,2`")
    skip: Skip = Field((), description="Faces to leave out: indices from POST /v1/faces")
    eyes: Eyes = Field(
        (),
        description="Faces that no search finds, marked by the centres of their eyes in pixels of the upright photo: "
        "`x,y,x,y`, or several; they are among those to protect whatever `faces` says",
    )
    strength: Strength = Field(
        1.0, description="0 (no make-up) to 1, or `auto`: the least that hides the owner after JPEG 75"
    )
    effort: Effort | None = Field(
        None,
        description="`quick`: the make-up alone; `thorough`: each face is refined, too; or what the models offer",
    )
    regions: Regions = Field(REGIONS, description="Where make-up may go")
    vary: Vary = Field("strength", description="What candidates differ in: `strength`, or the `look`")
    candidates: int = Field(1, ge=1, le=MAX_CANDIDATES, description="How many pictures to choose from")
    judges: Judges = Field(
        None,
        description="Measure also by recognisers of libraries: `all` that are here, `none`, or `dlib,sface`",
    )
    survival: Treatments = Field((), description="Measure the finished file again after each of these treatments")
    keep: Keeps = Field(
        (), description="Of the upload's metadata: `credit,copyright,date`, or some of these; all else is dropped"
    )

    @field_validator("candidates")
    @classmethod
    def _can_vary(cls, candidates: int, others: ValidationInfo) -> int:
        strength, vary = (others.data.get(name) for name in ("strength", "vary"))
        if candidates > 1 and vary == "strength" and strength in ("auto", 0):
            raise ValueError(f"candidates cannot vary in strength when it is {strength}")
        return candidates

    @property
    def marked(self) -> list[tuple[Point, Point]]:
        """The eyes of every face that is marked by hand, left one of the picture first."""
        points = list(zip(self.eyes[::2], self.eyes[1::2], strict=True))
        pairs = zip(points[::2], points[1::2], strict=True)
        return [(min(pair), max(pair)) for pair in pairs]

    def misplaced(self, width: int, height: int) -> str | None:
        """Why a mark cannot be a face of a photo of that size, in pixels; None where all can."""
        for left, right in self.marked:
            named = f"eyes at {left[0]:g},{left[1]:g} and {right[0]:g},{right[1]:g}"
            if any(x > width - 1 or y > height - 1 for x, y in (left, right)):
                return f"{named} lie outside the photo, which has {width} by {height} pixels once it is upright"
            apart, most = dist(left, right), WIDEST_EYES * max(width, height)
            if not NEAREST_EYES_PX <= apart <= most:
                return f"{named} are {apart:.0f} pixels apart: a face has {NEAREST_EYES_PX:.0f} to {most:.0f} here"
        return None
