"""A webhook: where somebody wants to be told of a job, of which of its events, and what became of telling."""

from datetime import datetime
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from diffam_client.contract.wish import SEVERAL, Words

Event = Literal["job.started", "job.succeeded", "job.failed", "job.canceled"]
EVENTS: tuple[Event, ...] = get_args(Event)
ENDINGS: tuple[Event, ...] = ("job.succeeded", "job.failed", "job.canceled")
State = Literal["pending", "delivered", "failed"]
EndpointState = Literal["unverified", "verified", "disabled"]
AttemptError = Literal[
    "no_public_address", "unreachable", "timeout", "redirect", "status", "gone", "challenge", "no_secret", "internal"
]
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


class Attempt(BaseModel):
    """One POST, or two where the endpoint was challenged first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: datetime = Field(description="When it began")
    message_id: str = Field(description="Of which message")
    status_code: int | None = Field(description="Of the last answer; null: none came")
    error: AttemptError | None = Field(
        description="Why it failed: `no_public_address`, `unreachable`, `timeout`, `redirect`, `status` (no 2xx), "
        "`gone` (410), `challenge` (not answered), `no_secret` (the operator took it away), `internal`"
    )
    seconds: float = Field(description="How long it took")


class Message(BaseModel):
    """Something that the webhook is told, and what became of that."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(description="Its `webhook-id`, the same in every attempt")
    type: Event = Field(description="What happened")
    at: datetime = Field(description="When it happened")
    state: State = Field(description="`pending`, `delivered`, or `failed`: nobody tries any more")
    tries: int = Field(description="Attempts, since the last redelivery was asked for")
    next_attempt_at: datetime | None = Field(description="While it is the next that is pending: when it is tried")
    attempts: list[Attempt] = Field(description="The latest ones, oldest first; earlier redeliveries included")


class Deliveries(BaseModel):
    """All that a job's webhook was told, or is to be told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    webhook: Webhook = Field(description="Who is told")
    endpoint: EndpointState = Field(
        description="`unverified` until it answers a challenge; `disabled` once it answered 410"
    )
    messages: list[Message] = Field(description="In the order in which they happened, and are delivered")
