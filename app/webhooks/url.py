"""The URL of a webhook as a request may write it, before anybody asks where it leads."""

import re
from typing import Annotated

import httpx
from pydantic import AfterValidator, Field, WithJsonSchema

URL_LENGTH = 2000
HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")  # a name or an IPv4 address; an IPv6 address, without its brackets


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
