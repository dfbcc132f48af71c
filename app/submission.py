"""The fields of the multipart forms, each checked."""

from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeInt,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from app.form import SEVERAL
from jobs.record import MAX_CANDIDATES, REGIONS, OutputFormat, Region, Strength, Survival, Vary

MAX_FACES = 64

Id = Annotated[str, Field(max_length=64)]


def _words(text: object) -> object:
    """Form fields are strings: "lips, eyes" is a list, each word counted once."""
    if not isinstance(text, str):
        return text
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _choice(text: object) -> object:
    """`all` and `largest` are words; anything else is a list of indices."""
    return text.strip() if isinstance(text, str) and text.strip() in ("all", "largest") else _words(text)


def _list_of(words: tuple[str, ...]) -> WithJsonSchema:
    """How OpenAPI tells of a comma-separated list of some words."""
    either = "|".join(words)
    return WithJsonSchema({"type": "string", "pattern": f"^({either})(,({either}))*$"})


Words = BeforeValidator(_words)
Indices = Annotated[tuple[NonNegativeInt, ...], Field(min_length=1, max_length=MAX_FACES)]
Faces = Annotated[
    Literal["all", "largest"] | Indices,
    BeforeValidator(_choice),
    WithJsonSchema({"type": "string", "pattern": "^(all|largest|[0-9]+(,[0-9]+)*)$"}),
    SEVERAL,
]
Regions = Annotated[tuple[Region, ...], Field(min_length=1), Words, _list_of(REGIONS), SEVERAL]
SurvivalList = Annotated[tuple[Survival, ...], Words, _list_of(get_args(Survival)), SEVERAL]


class Submission(BaseModel):
    """The fields beside the photo. An unknown one is refused: silently ignoring a wish would break it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reference_id: Id = Field(description="The make-up to wear: an id from /v1/references")
    target_id: Id | None = Field(None, description="Whom to resemble: an id from /v1/targets; default: the look's own")
    output_format: OutputFormat = Field(
        "png",
        description="png keeps every pixel outside the make-up bit for bit; avif and heic where allowed",
    )
    faces: Faces = Field("all", description="`all`, the `largest`, or indices from POST /v1/faces: `0,2`")
    strength: Strength = Field(
        1.0, description="0 (no make-up) to 1, or `auto`: the least that hides the owner after JPEG 75"
    )
    regions: Regions = Field(REGIONS, description="Where make-up may go")
    vary: Vary = Field("strength", description="What candidates differ in: `strength`, or the `look`")
    candidates: int = Field(1, ge=1, le=MAX_CANDIDATES, description="How many pictures to choose from")
    survival: SurvivalList = Field((), description="Measure the finished file again after each of these treatments")

    @field_validator("candidates")
    @classmethod
    def _can_vary(cls, candidates: int, others: ValidationInfo) -> int:
        strength, vary = (others.data.get(name) for name in ("strength", "vary"))
        if candidates > 1 and vary == "strength" and strength in ("auto", 0):
            raise ValueError(f"candidates cannot vary in strength when it is {strength}")
        return candidates


class LookSubmission(BaseModel):
    """The fields beside the pictures of a new look."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reference_id: Id = Field(description="Its id: lower-case letters, digits, underscores")
    title: str = Field("", max_length=80, description="What people read")
    description: str = Field("", max_length=300, description="One sentence")


def form_schema(form: type[BaseModel], files: dict[str, str], required: list[str]) -> dict[str, Any]:
    """A form as OpenAPI describes it: file parts by name, with what they are, and the fields."""
    schema = form.model_json_schema()
    parts = {name: {"type": "string", "format": "binary", "description": text} for name, text in files.items()}
    schema["properties"] = {**parts, **schema["properties"]}
    schema["required"] = [*required, *schema.get("required", [])]
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}
