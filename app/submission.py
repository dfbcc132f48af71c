"""What comes with a request that makes a job: headers, and the forms that are not about a photo to protect
(`diffam_client.contract.wish`)."""

import re
from typing import Annotated, Any, Literal

from fastapi import Header
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.config import JsonDict

from app.photo.canonical import Source
from app.webhooks.url import WebhookUrl
from diffam_client.contract.webhook import ENDINGS, Events, Webhook
from diffam_client.contract.wish import Id, OutputFormat, Wish
from jobs.access.undo_keys import KEY_PATTERN
from jobs.new_job import Terms

DURATION = re.compile(r"(?=\d)(?:(\d{1,3})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s?)?")
SPELLED: JsonDict = {
    "type": "string",
    "pattern": "^(?=[1-9])([0-9]{1,3}h)?([0-9]{1,5}m)?([0-9]{1,6}s?)?$",
    "examples": ["30s", "2m"],
}
DAY_S = 24 * 3600
UNSTORED_S = 10  # life of what is not to be stored, should the process end that waits for it


def _seconds(text: object) -> object:
    """`90`, `90s`, `1m30s`, `2h`."""
    found = DURATION.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise ValueError("a time is written like 90s, 1m30s or 2h")
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return (hours * 60 + minutes) * 60 + seconds


Duration = Annotated[int, Field(ge=1, le=DAY_S), BeforeValidator(_seconds), WithJsonSchema(SPELLED)]


NewName = Annotated[Id, WithJsonSchema({"type": "string", "pattern": "^[a-z0-9_]{1,40}$", "examples": ["copper"]})]


class SendingHeaders(BaseModel):
    """How a request wants to be taken and answered."""

    prefer: str = Field("", description="`wait=n` holds the answer until the job is over, n seconds at most")
    idempotency_key: str | None = Field(
        None,
        max_length=255,
        pattern=r"^[\x20-\x7e]+$",
        description="The same request with the same key makes no second job within 24 hours",
    )

    cancel_after: Duration | None = Field(
        None, description="Cancel the job if it is not over in that time: `30s`, `1m30s`, `2h`"
    )


Sending = Annotated[SendingHeaders, Header()]


class Told(BaseModel):
    """The fields of every request that makes a job, about who is told of it."""

    client_ref: str | None = Field(
        None, max_length=200, description="What you call the job; it is told with it", examples=["holiday/0042"]
    )
    webhook_url: WebhookUrl | None = Field(
        None, description="Where to POST what happens to the job, signed; `GET /v1/jobs/{id}/deliveries` tells of it"
    )
    webhook_events: Events = Field(ENDINGS, description="Of which events; every end of the job by default")

    @property
    def webhook(self) -> Webhook | None:
        """Who is told, and of what."""
        return Webhook(url=self.webhook_url, events=self.webhook_events) if self.webhook_url else None


class Submission(Wish, Told):
    """The fields beside a photo to protect: the wish, and what holds for this job."""

    output_format: OutputFormat | Literal["same"] = Field(  # type: ignore[assignment]  # `wish_of` resolves the word
        "png",
        description="png keeps every pixel outside the make-up bit for bit; `same`: as the upload, JPEG quality too",
    )

    expires_in_s: int | None = Field(
        None, ge=1, le=DAY_S, description="Cancel the job if work on it has not begun in so many seconds"
    )
    ttl_s: int | None = Field(
        None, ge=10, description="Erase everything so many seconds after the end; /v1/limits has the most"
    )

    store: bool = Field(
        True, description="0: keep nothing; the result is in the answer alone, for which `Prefer: wait=n` waits"
    )
    undo: bool = Field(
        False, description="1: also make a file that brings the original pixels back, with a key; png only"
    )
    undo_key: str | None = Field(
        None,
        pattern=KEY_PATTERN,
        description="Your key for it, 64 hexadecimal digits, which is not kept; else one is drawn and told once",
    )

    def wish_of(self, source: Source) -> dict[str, Any]:
        """What is asked of a photo that was sent so."""
        wish = {name: value for name, value in self if name in Wish.model_fields}
        if self.output_format != "same":
            return wish
        quality = self.quality if "quality" in self.model_fields_set else source.quality or self.quality
        return wish | {"output_format": source.format, "quality": quality}

    def terms(self, cancel_after_s: int | None, wait_s: int) -> Terms:
        """What holds for the job. A waiting answer erases what is not to be stored; if it cannot, this does."""
        if self.store:
            return Terms(self.expires_in_s, cancel_after_s, self.ttl_s, self.client_ref, self.webhook)
        end_within_s = min(cancel_after_s or DAY_S, wait_s + UNSTORED_S)
        return Terms(self.expires_in_s, end_within_s, UNSTORED_S, self.client_ref)


class ReferenceSubmission(Told):
    """The fields beside the pictures of a new reference."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reference_id: NewName = Field(description="Its id: lower-case letters, digits, underscores")
    title: str = Field("", max_length=80, description="What people read")
    description: str = Field("", max_length=300, description="One sentence")
