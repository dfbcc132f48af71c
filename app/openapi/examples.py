"""Examples of answers, as a service gave them; `python -m tests.story.recording` records them anew."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from app.openapi.problems import Responses
from diffam_client.contract.job import Job

RECORDED = Path(__file__).with_name("examples.json")
EVENT = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "pattern": "^[0-9]+$"},
        "event": {"type": "string", "enum": ["status", "progress", "erased"]},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {
                "anyOf": [{"$ref": "#/components/schemas/Event"}, {"$ref": "#/components/schemas/ProblemDocument"}]
            },
        },
    },
}
UNCHANGED: Responses = {304: {"description": "Nothing changed since the answer of that ETag"}}
STREAM: Responses = {
    200: {
        "description": "`id`: the revision; `event`: `status`, `progress`, or `erased` with a problem; `data`: JSON",
        "content": {
            "text/event-stream": {
                "itemSchema": EVENT,
                "examples": {"events": {"$ref": "#/components/examples/events"}},
            }
        },
    },
    204: {"description": "The job is over, and its last event was read"},
}


def shown(status: int, *names: str, others: Mapping[str, Any] | None = None, **more: Any) -> Responses:
    """A response with these recorded answers as its examples. others: media types beside JSON."""
    examples = {name: {"$ref": f"#/components/examples/{name}"} for name in names}
    return {status: {**more, "content": {"application/json": {"examples": examples}, **(others or {})}}}


JOB_MADE = shown(202, "queued_job", description="It waits, or runs; `Location` tells where to watch it") | shown(
    200, "succeeded_job", "failed_job", description="It is over", model=Job
)


def files(*media_types: str) -> Responses:
    """A file of one of these types."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    return {200: {"content": dict.fromkeys(media_types, binary)}}


@cache
def recorded_examples() -> dict[str, Any]:
    """By name, for `components/examples`."""
    return {name: {"value": value} for name, value in json.loads(RECORDED.read_text(encoding="utf-8")).items()}
