"""A webhook: where somebody wants to be told of a job, and of which of its events."""

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from diffam_client.contract.wish import SEVERAL, Words

Event = Literal["job.started", "job.succeeded", "job.failed", "job.canceled"]
EVENTS: tuple[Event, ...] = get_args(Event)
ENDINGS: tuple[Event, ...] = ("job.succeeded", "job.failed", "job.canceled")
EITHER = "|".join(EVENTS).replace(".", r"\.")
Events = Annotated[
    tuple[Event, ...],
    Field(min_length=1),
    Words,
    WithJsonSchema({"type": "string", "pattern": f"^({EITHER})(,({EITHER}))*$"}, mode="validation"),
    SEVERAL,
]


class Webhook(BaseModel):
    """Who is told of a job, and of what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(description="Where messages are sent by POST")
    events: tuple[Event, ...] = Field(description="Of what")
