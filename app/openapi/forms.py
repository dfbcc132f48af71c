"""How OpenAPI tells of a form: its files, and fields that are texts, whatever they stand for."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from app.openapi.problems import FORM_TYPE

PHOTO_TYPES = "image/jpeg, image/png, image/webp"


def form_schema(form: type[BaseModel], files: dict[str, str], required: list[str]) -> dict[str, Any]:
    """The request body: file parts by name, with what they are, and the fields."""
    schema = form.model_json_schema()
    parts = {name: {"type": "string", "format": "binary", "description": text} for name, text in files.items()}
    fields = {name: _spelled(without_null(field)) for name, field in schema["properties"].items()}
    schema |= {"properties": parts | fields, "required": [*required, *schema.get("required", [])]}
    content = {"schema": schema, "encoding": {name: {"contentType": PHOTO_TYPES} for name in files}}
    return {"requestBody": {"required": True, "content": {FORM_TYPE: content}}}


def without_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A header, a query and a form know no null: what may be left out is only that."""
    choices = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    told = {name: value for name, value in schema.items() if name != "anyOf" and value is not None}
    if len(choices) == 1:
        return {**choices[0], **told}
    return told | {"anyOf": choices} if choices else told


def _spelled(field: dict[str, Any]) -> dict[str, Any]:
    """The default of a list as the form would spell it; an empty one is what is meant where nothing is sent."""
    match field.get("default"):
        case []:
            return {name: value for name, value in field.items() if name != "default"}
        case list(words):
            return field | {"default": ",".join(words)}
        case _:
            return field
