"""W3C Trace Context: a request's `traceparent` goes with its job, into log lines and to webhooks, as it came."""

import re

TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
LATER = re.compile(TRACEPARENT.pattern + r"-[\x21-\x7e]{1,200}")
"""Versions after 00 may say more."""


def traceparent_of(sent: list[str]) -> str:
    """The one that is valid, of the headers that were sent; "" where there is none, or several."""
    text = sent[0].strip() if len(sent) == 1 else ""
    is_later = not text.startswith("00") and LATER.fullmatch(text)
    return text if TRACEPARENT.fullmatch(text) or is_later else ""


def traced(traceparent: str) -> dict[str, str]:
    """What log lines tell of it."""
    return {"trace_id": traceparent.split("-")[1]} if traceparent else {}
