"""The multipart forms: read within bounds, checked field by field."""

from typing import Annotated, Any, Literal, TypeVar, get_args

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeInt,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from starlette.datastructures import UploadFile

from app.problem import Problem
from jobs.record import MAX_CANDIDATES, REGIONS, OutputFormat, Region, Strength, Survival, Vary

MAX_FIELDS = 16
MAX_FIELD_BYTES = 4096
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
]
Regions = Annotated[tuple[Region, ...], Field(min_length=1), Words, _list_of(REGIONS)]
SurvivalList = Annotated[tuple[Survival, ...], Words, _list_of(get_args(Survival))]


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


Form = TypeVar("Form", bound=BaseModel)


def form_schema(form: type[BaseModel], files: dict[str, str], required: list[str]) -> dict[str, Any]:
    """A form as OpenAPI describes it: file parts by name, with what they are, and the fields."""
    schema = form.model_json_schema()
    parts = {name: {"type": "string", "format": "binary", "description": text} for name, text in files.items()}
    schema["properties"] = {**parts, **schema["properties"]}
    schema["required"] = [*required, *schema.get("required", [])]
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


async def read_form(
    request: Request, form_type: type[Form], required: str, optional: tuple[str, ...], max_photo_bytes: int
) -> tuple[dict[str, bytes], Form]:
    """The uploaded bytes by part, unlooked-at, and the fields.

    Raises Problem, RequestValidationError, HTTPException(400).
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise Problem("media_type_unsupported", "send this as multipart/form-data")
    names = (required, *optional)
    async with request.form(max_files=len(names), max_fields=MAX_FIELDS, max_part_size=MAX_FIELD_BYTES) as form:
        if form.get(required) is None:
            raise Problem("missing_field", f"the form has no {required}", param=required)
        # A web form sends its empty fields along: they count as absent.
        fields = {name: value for name, value in form.items() if name not in names and value != ""}
        try:
            submission = form_type.model_validate(fields)
        except ValidationError as error:
            found = error.errors(include_input=False, include_url=False, include_context=False)
            raise RequestValidationError([each | {"loc": each["loc"][:1]} for each in found]) from error
        uploads = {}
        for name in names:
            part = form.get(name)
            if part is None or part == "":
                continue
            if not isinstance(part, UploadFile):
                raise Problem("invalid_field", f"{name} must be a file part, with a filename", param=name)
            uploads[name] = await part.read()
    for name, upload in uploads.items():
        if len(upload) > max_photo_bytes:
            raise Problem("upload_too_large", f"a photo may have {max_photo_bytes} bytes at most", param=name)
    return uploads, submission
