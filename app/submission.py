"""What comes with a request that makes a job: headers, and the forms that are not about a photo to protect
(`jobs.wish`); and how OpenAPI describes a form."""

from typing import Annotated, Any

from fastapi import Header
from pydantic import BaseModel, ConfigDict, Field

from jobs.wish import Id


class SendingHeaders(BaseModel):
    """How a request wants to be taken and answered."""

    prefer: str = Field("", description="`wait=n` holds the answer until the job is over, n seconds at most")
    idempotency_key: str | None = Field(
        None,
        max_length=255,
        pattern=r"^[\x20-\x7e]+$",
        description="The same request with the same key makes no second job within 24 hours",
    )


Sending = Annotated[SendingHeaders, Header()]


class ReferenceSubmission(BaseModel):
    """The fields beside the pictures of a new reference."""

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
