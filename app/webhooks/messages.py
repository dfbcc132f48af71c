"""What a webhook is sent: a thin message that says what happened to which job, and the headers that sign it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict
from standardwebhooks import Webhook as Signer

from diffam_client.contract.webhook import Event
from jobs.webhooks.delivery import Delivery

EXAMPLE: JsonDict = {
    "type": "job.succeeded",
    "timestamp": "2026-11-27T21:57:52.607625Z",
    "data": {
        "id": "2ae28d27d979de16b7cd99adbaad148e",
        "kind": "protect",
        "status": "succeeded",
        "client_ref": "holiday/0042",
        "url": "https://photos.example.org/v1/jobs/2ae28d27d979de16b7cd99adbaad148e",
    },
}
CHALLENGED: Literal["endpoint.verification"] = "endpoint.verification"


class JobEvent(BaseModel):
    """Which job it is about. What became of it is asked at its address: photos and scores are in no message."""

    id: str = Field(description="The job's")
    kind: str = Field(description="`protect`, `finetune` or `detect`")
    status: str = Field(description="The job's, when this happened")
    client_ref: str | None = Field(description="What its client calls it")
    url: str = Field(description="Where it is read; only a path where the operator set no DIFFAM_PUBLIC_URL")


class EventMessage(BaseModel):
    """Something happened to a job."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    type: Event = Field(description="What happened")
    timestamp: datetime = Field(description="When it happened; `webhook-timestamp` is when it was sent")
    data: JobEvent = Field(description="To which job")


class Challenge(BaseModel):
    """What has to come back."""

    challenge: str = Field(description='To be answered: 200 and `{"challenge": "..."}`')


class ChallengeMessage(BaseModel):
    """Sent before the first message: whoever does not answer it is sent nothing else."""

    type: Literal["endpoint.verification"] = Field(CHALLENGED, description="No event of a job")
    timestamp: datetime = Field(description="When it was sent")
    data: Challenge = Field(description="What has to come back")


def event_message(delivery: Delivery, public_url: str | None) -> EventMessage:
    """What the webhook is told."""
    job = JobEvent(
        id=delivery.job_id,
        kind=delivery.kind,
        status=delivery.status,
        client_ref=delivery.client_ref,
        url=f"{(public_url or '').rstrip('/')}/v1/jobs/{delivery.job_id}",
    )
    return EventMessage(type=delivery.type, timestamp=delivery.at, data=job)


def challenge_message(challenge: str) -> ChallengeMessage:
    """What an endpoint is asked first."""
    return ChallengeMessage(timestamp=datetime.now(UTC), data=Challenge(challenge=challenge))


def headers_of(message_id: str, body: str, secrets: Sequence[str]) -> dict[str, str]:
    """Standard Webhooks: signed now, by each of the secrets."""
    now = datetime.now(UTC)
    return {
        "content-type": "application/json",
        "user-agent": "DiffAM",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Signer(secret).sign(message_id, now, body) for secret in secrets),
    }
