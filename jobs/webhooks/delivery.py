"""What the outbox hands to whoever sends, and what becomes of an attempt."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from diffam_client.contract.webhook import Attempt, Event, Webhook

Ending = Literal["delivered", "again", "unverified", "gone"]
"""Of an attempt. `unverified`: the endpoint did not answer its challenge; `gone`: it wants nothing more."""


@dataclass(frozen=True)
class Delivery:
    """The right to deliver one message, until its lease runs out; `token` fences.

    tries: attempts before this one.  is_verified: the endpoint has answered a challenge.  owner: whose secret signs.
    traceparent: of the request that made the job, or "".
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
    traceparent: str = ""

    @property
    def message_id(self) -> str:
        """The same in every attempt, so that whoever gets it twice can tell."""
        return message_id(self.job_id, self.number)

    @property
    def status(self) -> str:
        """Of the job, when this happened to it."""
        return "running" if self.type == "job.started" else self.type.removeprefix("job.")


@dataclass(frozen=True)
class Outcome:
    """What became of an attempt. is_proven: the endpoint has just answered a challenge, or taken a message.

    after_s: before that no other is wanted.
    """

    ending: Ending
    attempt: Attempt
    is_proven: bool = False
    after_s: float = 0


def message_id(job_id: str, number: int) -> str:
    """Of a job's message, counted from 1."""
    return f"msg_{job_id}_{number}"


def moment(seconds: float) -> datetime:
    """Seconds since 1970, as the ledger stamps them."""
    return datetime.fromtimestamp(seconds, UTC)
