"""Bodies that are passed on: read as the instance would read them, so that no picture hides in one."""

import json
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from fastapi import Request
from starlette.datastructures import UploadFile

from app.form import parsed_form
from app.problem import Problem

FIELD_BYTES = 64 * 1024
PICTURE = re.compile(r"\s*data:[^,]{0,200};base64,", re.IGNORECASE)
"""A picture written as text, which instances take wherever they take a file."""
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
NAMES_MEDIA = re.compile(r"media_ids(\[\d*\])?|media_attributes\[\d*\]\[id\]")

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Body:
    """What a call says, beside its address: pairs of the query and of a form, or JSON."""

    query: Pairs = ()
    form: Pairs = ()
    document: Any = None

    @property
    def media_type(self) -> str | None:
        """Of `content`."""
        return FORM if self.form else None if self.document is None else JSON

    @property
    def content(self) -> bytes:
        """The body as it is sent on."""
        if self.form:
            return urlencode(self.form).encode()
        return b"" if self.document is None else json.dumps(self.document).encode()

    def fields(self, names: Collection[str]) -> dict[str, str]:
        """What it says in some fields, wherever it says it."""
        document = self.document if isinstance(self.document, dict) else {}
        said = [*self.query, *self.form, *document.items()]
        return {name: str(value) for name, value in said if name in names and value is not None}

    @property
    def media_ids(self) -> list[str]:
        """The attachments that it names, in order, each once."""
        listed = [value for name, value in (*self.query, *self.form) if NAMES_MEDIA.fullmatch(name)]
        return list(dict.fromkeys([*listed, *_ids_in(self.document)]))

    def renamed(self, rename: Callable[[str], str]) -> "Body":
        """The same with other attachments' ids."""

        def pairs(of: Pairs) -> Pairs:
            return [(name, rename(value) if NAMES_MEDIA.fullmatch(name) else value) for name, value in of]

        return Body(pairs(self.query), pairs(self.form), _renamed(self.document, rename))


async def read_body(request: Request) -> Body:
    """Raises Problem: it has a file, or a picture written as text, or is of a type that instances do not read."""
    query = _pairs(request.url.query)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        async with parsed_form(request, FIELD_BYTES) as form:
            body = Body(query, [(name, _text(value)) for name, value in form.multi_items()])
    else:
        content = await request.body()
        body = Body(query, *_read(kind, content)) if content else Body(query)
    if any(PICTURE.match(text) for text in _texts(body)):
        raise _elsewhere()
    return body


def _read(kind: str, content: bytes) -> tuple[Pairs, Any]:
    if kind == FORM:
        return _pairs(content.decode("utf-8", "replace")), None
    if kind != JSON:
        raise Problem("media_type_unsupported", f"send a form, or {JSON}")
    try:
        return (), json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Problem("malformed_request", "the body is no JSON") from error


def _pairs(text: str) -> Pairs:
    return parse_qsl(text, keep_blank_values=True)


def _text(value: UploadFile | str) -> str:
    if isinstance(value, str):
        return value
    raise _elsewhere()


def _texts(body: Body) -> Iterator[str]:
    """Every text that it holds, at any depth."""
    yield from (value for _, value in (*body.query, *body.form))
    waiting = [body.document]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict | list):
            waiting += each.values() if isinstance(each, dict) else each


def _ids_in(document: Any) -> list[str]:
    if not isinstance(document, dict):
        return []
    ids, attributes = (document.get(name) for name in ("media_ids", "media_attributes"))
    listed = [*ids] if isinstance(ids, list) else []
    listed += [each.get("id") for each in attributes if isinstance(each, dict)] if isinstance(attributes, list) else []
    return [str(each) for each in listed]


def _renamed(document: Any, rename: Callable[[str], str]) -> Any:
    if not isinstance(document, dict):
        return document
    document = dict(document)
    if isinstance(document.get("media_ids"), list):
        document["media_ids"] = [rename(str(each)) for each in document["media_ids"]]
    if isinstance(document.get("media_attributes"), list):
        document["media_attributes"] = [
            each | {"id": rename(str(each.get("id")))} if isinstance(each, dict) else each
            for each in document["media_attributes"]
        ]
    return document


def _elsewhere() -> Problem:
    return Problem("media_refused", "send pictures to /api/v2/media, one by one: everything else is passed on without")
