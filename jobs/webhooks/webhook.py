"""A webhook: where somebody wants to be told of a job, and of which of its events."""

import re
from typing import Annotated, Literal, get_args

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from jobs.wish import SEVERAL, Words

Event = Literal["job.started", "job.succeeded", "job.failed", "job.canceled"]
EVENTS: tuple[Event, ...] = get_args(Event)
ENDINGS: tuple[Event, ...] = ("job.succeeded", "job.failed", "job.canceled")
URL_LENGTH = 2000
HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")  # a name or an IPv4 address; an IPv6 address, without its brackets
EITHER = "|".join(EVENTS).replace(".", r"\.")


def _address(url: str) -> str:
    """In the spelling in which it will be asked: the sender parses it with the same library. Raises ValueError."""
    try:
        parsed = httpx.URL(str(httpx.URL(url)))  # the second time it knows its scheme, and drops that one's own port
    except httpx.InvalidURL as error:
        raise ValueError(f"this is no URL: {error}") from error
    is_one = HOST.fullmatch(parsed.raw_host.decode("ascii")) and (parsed.port is None or 0 < parsed.port < 65536)
    if parsed.scheme not in ("https", "http") or not is_one:
        raise ValueError("write a whole URL: https://photos.example.org/hook")
    if parsed.userinfo or parsed.fragment:
        raise ValueError("a webhook has neither a user nor a fragment in its URL; its messages are signed")
    return str(parsed)


WebhookUrl = Annotated[
    str,
    Field(max_length=URL_LENGTH),
    AfterValidator(_address),
    WithJsonSchema({"type": "string", "format": "uri", "examples": ["https://photos.example.org/hook"]}),
]
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
