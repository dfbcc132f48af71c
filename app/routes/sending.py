"""Send a photo: a job by POST, or by PUT with an id of the client's own."""

from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

from fastapi import APIRouter, Request, Response

from app.answers import accepted, answered_once, wait_of
from app.form import read_form
from app.openapi.examples import JOB_MADE
from app.openapi.forms import form_schema
from app.openapi.problems import PHOTO, SENT_ONCE, WEBHOOK, problems
from app.photo.decoder import DecodedPhoto
from app.photo.formats import LONGEST_SIDE_PX
from app.problem import Problem, noted
from app.repeats import NewId, by_key, read_once, recognised_form
from app.service import Service, ServiceDep
from app.submission import Sending, SendingHeaders, Submission
from app.webhooks.asking import webhook_refusals
from diffam_client.contract.job import DetectInput, Job, JobInput, Source
from diffam_client.contract.problem import FieldError
from diffam_client.contract.wish import OutputFormat
from jobs.access.undo_keys import draw_key, public_of
from jobs.new_job import Accepted, NewJob, Once
from model_store.catalog import Catalog, StyleCard

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

KEY_LOST = "a request that may come again is told no key: bring one, 64 random hexadecimal digits"
NO_UNDO = "only png keeps every pixel: without it no file can bring the original back; ask for output_format=png"
NOT_WAITED_FOR = "what is not stored is in the answer alone: send Prefer: wait=n, with n of 1 or more"
FORM = form_schema(Submission, {"photo": "A JPEG, PNG or WebP photo with a face"}, ["photo"])
REFUSED = (
    *SENT_ONCE, *PHOTO, *WEBHOOK, "judge_missing", "unknown_reference", "unknown_target", "effort_unavailable",
    "style_not_trained", "not_in_time",
)  # fmt: skip


@router.post(
    "",
    status_code=202,
    response_model=Job,
    openapi_extra=FORM,
    responses=JOB_MADE | problems(*REFUSED, "idempotency_key_reused"),
)
async def create_job(request: Request, service: ServiceDep, sending: Sending) -> Response:
    """Protect a photo. Answers 202 and the job to watch, or 200 if it is over, which `Prefer: wait=n` waits for.

    With an `Idempotency-Key` it may be sent again: the answer is the job of the first time, as it stands now.
    """
    once = by_key(service, sending.idempotency_key)
    async with read_once(service, once):
        made = await _made(request, service, once, sending)
    return await (accepted if made.is_stored else answered_once)(service, made.job, sending.prefer, made.undo_key)


@router.put(
    "/{job_id}",
    status_code=202,
    response_model=Job,
    openapi_extra=FORM,
    responses=JOB_MADE | problems(*REFUSED, "job_exists"),
)
async def put_job(job_id: NewId, request: Request, service: ServiceDep, sending: Sending) -> Response:
    """Protect a photo in a job whose id the client chose, so that sending it again makes no second one.

    409 `job_exists`: the id belongs to a job of another photo or wish.
    """
    once = Once.by_id(job_id, service.owner)
    async with read_once(service, once):
        made = await _made(request, service, once, sending)
    return await (accepted if made.is_stored else answered_once)(service, made.job, sending.prefer, made.undo_key)


class _Made(NamedTuple):
    """A job, whether its result is stored, and the key that was drawn for its undo file."""

    job: Accepted
    is_stored: bool
    undo_key: str | None = None


async def _made(request: Request, service: Service, once: Once | None, sending: SendingHeaders) -> _Made:
    """The job of a form, a new one or that of an earlier time, which is not decoded.

    Raises Problem, LedgerError.
    """
    async with read_form(request, Submission, "photo", (), service.settings.max_upload_bytes) as sent:
        once, made = await recognised_form(service, once, request, sent)
        if made:
            return _Made(made, sent.accept().fields.store)
        catalog = service.catalog
        wait_s = wait_of(sending.prefer, service.settings) or 0
        refused = not_on_offer(service, catalog, sent.known)
        if not sent.known.get("store", True) and not wait_s:
            refused.append(FieldError(param="store", code="invalid_field", detail=NOT_WAITED_FOR))
        refused += await webhook_refusals(service.settings, service.signed_for, sent.known)
        refused += _not_undone(sent.known, may_come_again=once is not None)
        form = sent.accept(refused)
        submission, terms = form.fields, form.fields.terms(sending.cancel_after, wait_s)
        style = catalog.style_for(submission.reference_id, submission.target_id)
        async with service.decoder.decode(form.uploads["photo"], submission.keep) as photo:
            drawn = draw_key() if submission.undo and submission.undo_key is None else None
            asked = asked_of(photo, submission, style, submission.undo_key or drawn)
            new = NewJob(asked, service.bundle, once=once, terms=terms)
            return _Made(await service.enqueue(new, photo.png), submission.store, drawn)


def asked_of(photo: DecodedPhoto, submission: Submission, style: StyleCard, undo_key: str | None = None) -> JobInput:
    """What a job is to do with a photo. undo_key: opens its undo files, if there are to be any. Raises Problem."""
    wish = submission.wish_of(photo.source)
    _check_output(wish["output_format"], photo, submission.undo)
    style_ids = {"reference_id": style.reference, "target_id": style.target}
    besides = {"undo_to": public_of(undo_key) if undo_key else None, "kept": photo.kept}
    asked = JobInput.model_validate(wish | style_ids | dict(stored(photo)) | besides)
    if why := asked.misplaced(photo.width, photo.height):
        raise Problem("invalid_field", why, param="eyes")
    return asked


def stored(photo: DecodedPhoto) -> DetectInput:
    """What a job record tells of its photo."""
    source = Source.model_validate(asdict(photo.source))
    return DetectInput(width=photo.width, height=photo.height, bytes=photo.size_bytes, source=source)


def not_on_offer(service: Service, catalog: Catalog, wish: Mapping[str, Any]) -> list[FieldError]:
    """What this service or its bundle cannot do. wish: the well-formed fields; others tell nothing."""
    refused: list[FieldError] = []
    target = _target_of(catalog, wish, refused)
    output_format = wish.get("output_format")
    if output_format in ("avif", "heic") and output_format not in service.settings.extra_formats:
        detail = f"this service does not write {output_format}"
        refused.append(FieldError(param="output_format", code="invalid_field", detail=detail))
    offered = len({style.reference for style in catalog.styles if style.target == target})
    if target is not None and wish.get("vary") == "look" and offered < wish.get("candidates", 1):
        detail = f"the target {target!r} has {offered} looks to choose from"
        refused.append(FieldError(param="candidates", code="invalid_field", detail=detail))
    most_s = service.settings.max_result_ttl_s
    if (wish.get("ttl_s") or 0) > most_s:
        detail = f"results are kept for {most_s} s at most"
        refused.append(FieldError(param="ttl_s", code="invalid_field", detail=detail))
    refused += _too_many_faces(wish, service.settings.max_faces)
    with noted(refused):
        catalog.check_effort(wish.get("effort"))
    return refused + _unknown_judges(service.judges, wish.get("judges"))


def _too_many_faces(wish: Mapping[str, Any], most: int) -> list[FieldError]:
    """Faces that are marked by hand are all to be protected, with the largest where that is asked for."""
    marked, is_largest = len(wish.get("eyes", ())) // 4, wish.get("faces") == "largest"
    if not marked or marked + is_largest <= most:
        return []
    named = f"the largest face and {marked} that are marked" if is_largest else f"{marked} faces that are marked"
    detail = f"{named} are more than the {most} that one job protects: mark fewer, and send a second job"
    return [FieldError(param="eyes", code="invalid_field", detail=detail)]


def _not_undone(form: Mapping[str, Any], may_come_again: bool) -> list[FieldError]:
    """Why the pixels could not be brought back. form: the well-formed fields."""
    key = form.get("undo_key")
    if not form.get("undo"):
        alone = FieldError(param="undo_key", code="invalid_field", detail="undo_key goes with undo=1")
        return [alone] if key and "undo" in form else []
    refused = []
    if form.get("output_format", "png") not in ("png", "same"):
        refused.append(FieldError(param="undo", code="invalid_field", detail=NO_UNDO))
    if may_come_again and "undo_key" in form and key is None:
        refused.append(FieldError(param="undo_key", code="missing_field", detail=KEY_LOST))
    return refused


def _unknown_judges(judging: Collection[str], wanted: Collection[str] | None) -> list[FieldError]:
    """The recognisers of libraries that are asked for and do not judge here."""
    known = f"there are {', '.join(judging)}" if judging else "there is none"
    return [
        FieldError(param="judges", code="judge_missing", detail=f"no recogniser {name!r} judges here: {known}")
        for name in wanted or ()
        if name not in judging
    ]


def _target_of(catalog: Catalog, wish: Mapping[str, Any], refused: list[FieldError]) -> str | None:
    """Whom the wish is to resemble, None where that cannot be told; adds to `refused` what is not in the catalog."""
    reference, target = wish.get("reference_id"), wish.get("target_id")
    if reference is not None:
        with noted(refused):
            catalog.reference(reference)
    if target is not None:
        with noted(refused):
            catalog.target(target)
    if reference is not None and "target_id" in wish and not refused:
        with noted(refused):
            return catalog.style_for(reference, target).target
    return target if any(card.id == target for card in catalog.targets) else None


def _check_output(output_format: OutputFormat, photo: DecodedPhoto, is_undone: bool) -> None:
    """Refuse a format that cannot hold a photo of that size, or not every pixel of one to undo. Raises Problem."""
    if is_undone and output_format != "png":
        raise Problem("invalid_field", f"the upload is {output_format}, and {NO_UNDO}", param="undo")
    most = LONGEST_SIDE_PX.get(output_format)
    if most and max(photo.width, photo.height) > most:
        size = f"the photo is {photo.width} by {photo.height} pixels"
        detail = f"{size}; {output_format} holds {most} a side at most: ask for png"
        raise Problem("invalid_field", detail, param="output_format")
