"""Multipart forms: read into files within bounds; what was sent twice or does not hold together is refused."""

import codecs
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import IO, Any, Generic, TypeVar, cast

from fastapi import Request
from pydantic import BaseModel, TypeAdapter, ValidationError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from app.openapi.deprecation import deprecation_headers
from app.problem import Problem, field_error, field_problem
from app.spool import open_spool, size_of
from diffam_client.contract.problem import FieldError
from diffam_client.contract.wish import SEVERAL

MAX_FIELDS = 64  # those of lists may come one word at a time
MAX_FILES = 8  # more than any form of ours has: who sends two photos is told so
MAX_FIELD_BYTES = 4096
CHARSETS = ("utf-8", "ascii", "iso8859-1")
EXTENDED_FILENAME = re.compile(rb";\s*filename\*", re.IGNORECASE)
PLAIN_ENCODINGS = (b"7bit", b"8bit", b"binary")

Form = TypeVar("Form", bound=BaseModel)


@dataclass(frozen=True)
class ReadForm(Generic[Form]):
    """The uploads by the name of their part, unlooked-at, and the fields."""

    uploads: dict[str, IO[bytes]]
    fields: Form


@dataclass(frozen=True)
class SentForm(Generic[Form]):
    """A form that may be wrong. known: what it says in the fields that are well-formed, or leaves to their defaults.

    errors: everything that is wrong with it as a form; `read` is None only where there are some.
    """

    read: ReadForm[Form] | None
    known: Mapping[str, Any]
    errors: Sequence[FieldError]

    @property
    def is_right(self) -> bool:
        """Nothing is wrong with it as a form."""
        return self.read is not None and not self.errors

    def accept(self, refused: Sequence[FieldError] = ()) -> ReadForm[Form]:
        """What was read. Raises Problem, telling `errors` and, after them, why the well-formed fields are `refused`."""
        errors = [*self.errors, *refused]
        if errors or self.read is None:
            raise field_problem(errors)
        return self.read


@dataclass
class _Found:
    """What a form holds, and everything that is wrong with it."""

    uploads: dict[str, IO[bytes]] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    errors: list[FieldError] = field(default_factory=list)

    def complain(self, param: str, detail: str, code: str = "invalid_field") -> None:
        self.errors.append(FieldError(param=param, code=code, detail=detail))


class _Parser(MultiPartParser):
    """Starlette's, with files on disk and an eye for what it lets pass."""

    is_complete = False

    def on_headers_finished(self) -> None:
        """A part is a file if it has a file name, in whichever spelling (RFC 8187 has `filename*=`)."""
        part = self._current_part
        for name, value in part.item_headers:
            if name == b"content-transfer-encoding" and value.strip().lower() not in PLAIN_ENCODINGS:
                raise MultiPartException("parts must be sent as they are, without a transfer encoding")
        if part.content_disposition and EXTENDED_FILENAME.search(part.content_disposition):
            _, options = parse_options_header(part.content_disposition)
            if b"filename" not in options:
                part.content_disposition += b'; filename="upload"'
        super().on_headers_finished()
        if self._current_part.file:
            self._current_part.file.file.close()
            spool = open_spool()
            self._files_to_close_on_error.append(spool)  # type: ignore[arg-type]  # it only closes them
            self._current_part.file.file = spool  # type: ignore[assignment]  # a binary file like the other

    def on_end(self) -> None:
        """The closing boundary was there."""
        self.is_complete = True

    async def parse(self) -> FormData:
        """Without that boundary Starlette would drop the last part and say nothing. Raises MultiPartException."""
        form = await super().parse()
        if self.is_complete:
            return form
        for file in self._files_to_close_on_error:
            file.close()
        raise MultiPartException("the form ends before its closing boundary")


@asynccontextmanager
async def read_form(
    request: Request, form_type: type[Form], required: str, optional: tuple[str, ...], max_photo_bytes: int
) -> AsyncIterator[SentForm[Form]]:
    """The form of `request`; its files, and its place among the uploads under way, last as long as the block.

    Raises Problem where it is no form at all.
    """
    async with parsed_form(request) as form:
        for name in form_type.model_fields.keys() & form.keys():
            request.state.deprecation |= deprecation_headers(form_type.model_fields[name].json_schema_extra)
        yield _checked(form, form_type, (required, *optional), max_photo_bytes)


@asynccontextmanager
async def parsed_form(request: Request, max_field_bytes: int = MAX_FIELD_BYTES) -> AsyncIterator[FormData]:
    """The form as it came, its files on disk as long as the block. Raises Problem where it is no form at all."""
    form = await _parsed(request, max_field_bytes)
    try:
        yield form
    finally:
        await form.close()
        request.state.place.give_back()


async def _parsed(request: Request, max_field_bytes: int) -> FormData:
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data":
        raise Problem("media_type_unsupported", "send this as multipart/form-data")
    charset = options.get(b"charset", b"utf-8").decode("latin-1")
    with suppress(LookupError, ValueError):
        charset = codecs.lookup(charset).name
    if charset not in CHARSETS:
        raise Problem("malformed_request", "send the form in UTF-8")
    try:
        # The boundary alone: a charset that decodes nothing ("undefined" is one) must not reach the parser.
        boundary = b'multipart/form-data; boundary="%s"' % options[b"boundary"]
        headers = Headers(raw=[(b"content-type", boundary)])
        limits = {"max_files": MAX_FILES, "max_fields": MAX_FIELDS, "max_part_size": max_field_bytes}
        parser = _Parser(headers, request.stream(), **limits)
        return await parser.parse()
    except KeyError as error:
        raise Problem("malformed_request", "the form's type names no boundary") from error
    except MultiPartException as error:
        raise Problem("malformed_request", error.message) from error


def _checked(form: FormData, form_type: type[Form], names: tuple[str, ...], max_photo_bytes: int) -> SentForm[Form]:
    """names: those of the file parts, the first is needed."""
    found = _Found()
    _take_uploads(found, form, names, max_photo_bytes)
    _take_fields(found, form, form_type, names)
    try:
        fields = form_type.model_validate(found.fields)
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False, include_context=False)
        already = {each.param for each in found.errors}
        all_wrong = [field_error(each | {"loc": each["loc"][:1]}) for each in wrong]
        found.errors += [each for each in _one_per_field(all_wrong) if each.param not in already]
        return SentForm(None, _well_formed(form_type, found), found.errors)
    wrong_params = {each.param for each in found.errors}
    known = {name: value for name, value in fields if name not in wrong_params}
    return SentForm(ReadForm(found.uploads, fields), known, found.errors)


def _well_formed(form_type: type[BaseModel], found: _Found) -> dict[str, Any]:
    """The fields that nothing is wrong with, for themselves."""
    wrong = {each.param for each in found.errors}
    return {
        name: TypeAdapter(about.rebuild_annotation()).validate_python(found.fields[name])
        if name in found.fields
        else about.get_default()
        for name, about in form_type.model_fields.items()
        if name not in wrong
    }


def _one_per_field(errors: Sequence[FieldError]) -> list[FieldError]:
    """A field that may be this or that is wrong in two ways, and one mistake."""
    merged: dict[str, FieldError] = {}
    for error in errors:
        before = merged.get(error.param)
        merged[error.param] = (
            before.model_copy(update={"detail": f"{before.detail}; {error.detail}"}) if before else error
        )
    return list(merged.values())


def _take_uploads(found: _Found, form: FormData, names: Sequence[str], max_photo_bytes: int) -> None:
    for name in names:
        parts = [part for part in form.getlist(name) if not _is_empty_choice(part)]
        if not parts and name == names[0]:
            found.complain(name, f"the form has no {name}", "missing_field")
        elif len(parts) > 1:
            found.complain(name, f"{name} was sent {len(parts)} times: send one")
        elif parts and not isinstance(parts[0], UploadFile):
            found.complain(name, f"{name} must be a file part, with a filename")
        elif parts and size_of(_file(parts[0])) > max_photo_bytes:
            found.complain(name, f"a photo may have {max_photo_bytes} bytes at most", "upload_too_large")
        elif parts:
            found.uploads[name] = _file(parts[0])


def _take_fields(found: _Found, form: FormData, form_type: type[BaseModel], names: Sequence[str]) -> None:
    for name in dict.fromkeys(form):
        sent = [value for value in form.getlist(name) if value != ""]  # empty fields of a web form count as absent
        if name in names or not sent:
            continue
        known = form_type.model_fields.get(name)
        if known and not all(isinstance(value, str) for value in sent):
            found.complain(name, f"{name} is a field, not a file")
        elif known and SEVERAL in known.metadata:
            found.fields[name] = ",".join(dict.fromkeys(str(value) for value in sent))
        elif len(sent) > 1:
            found.complain(name, f"{name} was sent {len(sent)} times: send it once")
        else:
            found.fields[name] = sent[0]


def _is_empty_choice(part: UploadFile | str) -> bool:
    """What a web form sends when nobody chose a file."""
    return part == "" or (isinstance(part, UploadFile) and not part.filename and not part.size)


def _file(part: UploadFile | str) -> IO[bytes]:
    return cast("UploadFile", part).file
