"""The forms that are not about a photo to protect (`jobs.wish`), and how OpenAPI describes a form."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from jobs.wish import Id


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
