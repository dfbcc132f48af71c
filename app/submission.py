"""The multipart form of a new job: read within bounds, checked field by field."""

from typing import Annotated, Any

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


def form_schema() -> dict[str, Any]:
    """The form as OpenAPI describes it."""
    schema = Submission.model_json_schema()
    photo = {"type": "string", "format": "binary", "description": "A JPEG, PNG or WebP photo with a face"}
    schema["properties"] = {"photo": photo, **schema["properties"]}
    schema["required"] = ["photo", *schema["required"]]
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


async def read_submission(request: Request, max_photo_bytes: int) -> tuple[bytes, Submission]:
    """The uploaded bytes, unlooked-at, and the fields. Raises Problem, RequestValidationError, HTTPException(400)."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise Problem("media_type_unsupported", "send the job as multipart/form-data")
    async with request.form(max_files=1, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD_BYTES) as form:
        photo = form.get("photo")
        if photo is None:
            raise Problem("missing_field", "the form has no photo", param="photo")
        if not isinstance(photo, UploadFile):
            raise Problem("invalid_field", "photo must be a file part, with a filename", param="photo")
        # A web form sends its empty fields along: they count as absent.
        fields = {name: value for name, value in form.items() if name != "photo" and value != ""}
        try:
            submission = Submission.model_validate(fields)
        except ValidationError as error:
            raise RequestValidationError(error.errors(include_input=False, include_url=False)) from error
        upload = await photo.read()
    if len(upload) > max_photo_bytes:
        raise Problem("upload_too_large", f"a photo may have {max_photo_bytes} bytes at most")
    return upload, submission
