"""How a service says what is wrong: a problem document (RFC 9457)."""

from pydantic import BaseModel


class FieldError(BaseModel):
    """One thing that is wrong with one field."""

    param: str
    code: str
    detail: str


class ProblemDocument(BaseModel):
    """The body of every error answer. `retryable`: the same request may succeed later.

    errors: every field that is wrong; `code`, `detail` and `param` are those of the first.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    param: str | None = None
    retryable: bool
    request_id: str
    errors: list[FieldError] = []
