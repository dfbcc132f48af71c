"""The multipart forms: read within bounds, checked field by field."""

from typing import Annotated, Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import UploadFile

from app.problem import Problem
from jobs.record import OutputFormat

MAX_FIELDS = 16
MAX_FIELD_BYTES = 4096

Id = Annotated[str, Field(max_length=64)]


class Submission(BaseModel):
    """The fields beside the photo. An unknown one is refused: silently ignoring a wish would break it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reference_id: Id = Field(description="The make-up to wear: an id from /v1/references")
    target_id: Id | None = Field(None, description="Whom to resemble: an id from /v1/targets; default: the look's own")
    output_format: OutputFormat = Field("png", description="png keeps every pixel outside the make-up bit for bit")


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
    schema["required"] = [*required, *schema["required"]]
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
            raise RequestValidationError(error.errors(include_input=False, include_url=False)) from error
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
