"""What Schemathesis needs to know beside the OpenAPI document: real pictures, and what a schema cannot say."""

from io import BytesIO
from typing import Any

import schemathesis
from hypothesis import strategies as st
from PIL import Image
from schemathesis.transport.requests import REQUESTS_TRANSPORT, multipart_serializer

Case = schemathesis.Case[Any]
MEDIA_TYPE = "application/problem+json"


def picture(side_px: int, colour: str, kind: str) -> bytes:
    """A plain one. The stand-in for the models finds a face in each that is not black."""
    file = BytesIO()
    Image.new("RGB", (side_px, side_px), colour).save(file, kind)
    return file.getvalue()


PICTURES = {
    f"{colour}.{kind}": picture(64, colour, kind) for kind in ("png", "jpeg", "webp") for colour in ("teal", "black")
}
BROKEN = {f"half of {name}": content[: len(content) // 2] for name, content in PICTURES.items()} | {
    "small.png": picture(16, "teal", "png"), "teal.gif": picture(64, "teal", "gif"), "nothing": b"", "text": b"a photo",
}  # fmt: skip
FILES = PICTURES | BROKEN

schemathesis.openapi.format("binary", st.sampled_from(list(PICTURES)) | st.sampled_from(list(FILES)))


@REQUESTS_TRANSPORT.serializer("multipart/form-data")
def with_files(context: schemathesis.SerializationContext, body: Any) -> dict[str, Any]:
    """Files are drawn by their names, because Schemathesis takes a form for invalid whose bytes it cannot read."""
    if isinstance(body, dict):
        body = {name: FILES.get(value, value) if isinstance(value, str) else value for name, value in body.items()}
    return multipart_serializer(context, body)


@schemathesis.check
def every_problem_is_told(_context: schemathesis.CheckContext, response: schemathesis.Response, case: Case) -> None:
    """An error is a problem document whose code the call names among those of its status."""
    if response.status_code < 400 or response.status_code == 405:
        return
    told = case.operation.definition.raw["responses"].get(str(response.status_code))
    assert told is not None, f"{response.status_code} is not documented"
    code = response.json()["code"]
    assert code in told["content"][MEDIA_TYPE]["examples"], f"{response.status_code} {code} is not documented"
    assert response.headers["x-request-id"], "the answer has no X-Request-ID"


BEYOND_SPELLING = {
    "cancel-after": "a day at most, however it is written",
    "candidates": "not together with strength=auto or 0; as many looks as there are",
    "job_id": "eight different characters at least, else it could be guessed",
    "eyes": "inside that photo, and as far apart as eyes are",
    "output_format": "what this service writes",
    "store": "0 with Prefer: wait=n alone",
    "ttl_s": "what the operator allows",
    "undo": "of files that keep every pixel",
    "undo_key": "with undo=1; needed where the request may come again",
    "webhook_events": "with a webhook_url",
    "webhook_url": "not with store=0",
}
"""Fields that may be refused although each is well written, and what for."""


@schemathesis.check
def what_is_allowed_is_refused_for_a_reason(
    _context: schemathesis.CheckContext, response: schemathesis.Response, case: Case
) -> None:
    """A request that the document allows is not refused for how it is written."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code != 422:
        return
    wrong = [each for each in response.json()["errors"] if each["code"] in ("missing_field", "invalid_field")]
    assert {each["param"] for each in wrong} <= BEYOND_SPELLING.keys(), f"the document allows it: {wrong}"
