"""Attachments, as clients of Mastodon make them: each picture is protected first.

POST -> a job, 202 -> GET: 206, until it is protected; then the instance gets it, 200.
"""

from fastapi import APIRouter, Request, Response
from starlette.datastructures import FormData, UploadFile

from app.form import parsed_form
from app.mastodon.attachments import NOT_YET, Attachments, processing
from app.mastodon.bodies import FIELD_BYTES, Body, read_body
from app.mastodon.facade import AttachmentsDep, FacadeDep, MastodonRoute
from app.mastodon.films import is_film, type_of
from app.mastodon.instance import Answer, File
from app.mastodon.notes import draw_id
from app.mastodon.refusals import told
from app.mastodon.wishes import HEADER, wish_for
from app.photo.formats import tell_format
from app.problem import Problem

START_BYTES = 4096
ACCEPTED = 202
FIELDS = ("description", "focus")

router = APIRouter(route_class=MastodonRoute, include_in_schema=False)


@router.post("/api/v2/media")
async def create_media(request: Request, own: AttachmentsDep) -> Response:
    """Take a picture to protect: 202, and an id to ask for."""
    return _told(await _created(request, own))


@router.post("/api/v1/media")
async def create_media_at_once(request: Request, own: AttachmentsDep) -> Response:
    """The same, waited for as long as an answer may wait: 200, or 202 all the same."""
    answer = await _created(request, own)
    if answer.status == NOT_YET:
        answer = await own.read(answer.document["id"], own.service.settings.max_wait_s)
    return _told(answer)


@router.get("/api/v1/media/{media_id}")
async def read_media(media_id: str, request: Request, own: AttachmentsDep, facade: FacadeDep) -> Response:
    """206 while the picture is protected; then give it to the instance: 200."""
    if await own.note(media_id) is None:
        return await facade.pass_on(request, Body())
    answer = await own.read(media_id)
    return told(answer.status, answer.document)


@router.put("/api/v1/media/{media_id}")
async def change_media(media_id: str, request: Request, own: AttachmentsDep, facade: FacadeDep) -> Response:
    """Another description or focus, wherever the picture is by now."""
    body = await read_body(request)
    if await own.note(media_id) is None:
        return await facade.pass_on(request, body)
    answer = await own.change(media_id, body.fields(FIELDS))
    return told(answer.status, answer.document)


@router.delete("/api/v1/media/{media_id}")
async def erase_media(media_id: str, request: Request, own: AttachmentsDep, facade: FacadeDep) -> Response:
    """Erase a picture, here and there."""
    if await own.note(media_id) is None:
        return await facade.pass_on(request, Body())
    answer = await own.erase(media_id)
    return told(answer.status, answer.document)


def _told(answer: Answer) -> Response:
    """The answer to whoever sent a picture, which was taken, though it is not ready."""
    return told(ACCEPTED if answer.status == NOT_YET else answer.status, answer.document)


async def _created(request: Request, own: Attachments) -> Answer:
    """206 and a new attachment; or what the instance says, of the token or to a film. Raises Problem, and others."""
    media_id = draw_id()
    if refused := await own.may_upload(media_id):
        return refused
    wish = wish_for(own.service, request.headers.get(HEADER, ""))
    async with parsed_form(request, FIELD_BYTES) as form:
        upload = _file_of(form, own.service.settings.max_upload_bytes)
        fields = {name: value for name in FIELDS if isinstance(value := form.get(name), str) and value}
        start = upload.file.read(START_BYTES)
        upload.file.seek(0)
        if tell_format(start) is None and is_film(start):
            return await _film(own, upload, fields)
        note = await own.begin(media_id, upload.file, wish, fields)
    return Answer(NOT_YET, processing(media_id, note))


def _file_of(form: FormData, most_bytes: int) -> UploadFile:
    """The one file of a form. Raises Problem."""
    files = [(name, value) for name, value in form.multi_items() if isinstance(value, UploadFile)]
    if [name for name, _ in files] != ["file"]:
        detail = "send one picture, as a file part named file; thumbnails, which show faces too, are not taken"
        raise Problem("media_refused", detail)
    (_, upload), *_ = files
    if (upload.size or 0) > most_bytes:
        raise Problem("upload_too_large", f"a photo may have {most_bytes} bytes at most")
    return upload


async def _film(own: Attachments, upload: UploadFile, fields: dict[str, str]) -> Answer:
    """Pass on what cannot be protected, where the operator says so. Raises Problem."""
    if own.service.settings.mastodon_films == "refuse":
        raise Problem("film_refused", "GIFs, films and sound cannot be protected, and are not passed on here")
    file = File(upload.file, type_of(upload.content_type))
    answer = await own.instance.ask("POST", "/api/v2/media", own.token, fields, file)
    return Answer(NOT_YET if answer.status == ACCEPTED else answer.status, answer.document)
