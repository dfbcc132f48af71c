"""What the outbox hands to whoever sends, what becomes of an attempt, and what is told of all of them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from diffam_client.contract.webhook import Event, Webhook

Ending = Literal["delivered", "again", "unverified", "gone"]
"""Of an attempt. `unverified`: the endpoint did not answer its challenge; `gone`: it wants nothing more."""
State = Literal["pending", "delivered", "failed"]
EndpointState = Literal["unverified", "verified", "disabled"]
AttemptError = Literal[
    "no_public_address", "unreachable", "timeout", "redirect", "status", "gone", "challenge", "no_secret", "internal"
]


@dataclass(frozen=True)
class Delivery:
    """The right to deliver one message, until its lease runs out; `token` fences.

    tries: attempts before this one.  is_verified: the endpoint has answered a challenge.  owner: whose secret signs.
    """

    job_id: str
    token: int
    number: int
    type: Event
    at: datetime
    tries: int
    webhook: Webhook
    is_verified: bool
    owner: str
    kind: str
    client_ref: str | None

    @property
    def message_id(self) -> str:
        """The same in every attempt, so that whoever gets it twice can tell."""
        return message_id(self.job_id, self.number)

    @property
    def status(self) -> str:
        """Of the job, when this happened to it."""
        return "running" if self.type == "job.started" else self.type.removeprefix("job.")


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


@dataclass(frozen=True)
class Outcome:
    """What became of an attempt. is_proven: the endpoint has just answered a challenge, or taken a message.

    after_s: before that no other is wanted.
    """

    ending: Ending
    attempt: Attempt
    is_proven: bool = False
    after_s: float = 0


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


def message_id(job_id: str, number: int) -> str:
    """Of a job's message, counted from 1."""
    return f"msg_{job_id}_{number}"


def moment(seconds: float) -> datetime:
    """Seconds since 1970, as the ledger stamps them."""
    return datetime.fromtimestamp(seconds, UTC)
