"""New references and new styles over HTTP: long jobs, watched like any other."""

from contextlib import AsyncExitStack

from fastapi import APIRouter, Request, Response
from pydantic import ConfigDict, Field

from app.answers import accepted
from app.form import ReadForm, read_form
from app.once import StrictJson
from app.openapi.examples import shown
from app.openapi.forms import form_schema
from app.openapi.problems import PHOTO, SENT_ONCE, WEBHOOK, problems
from app.problem import Problem, field_problem, noted
from app.repeats import by_key, read_once, recognised, recognised_form
from app.service import Service, ServiceDep
from app.submission import ReferenceSubmission, Sending, SendingHeaders, Told
from app.webhooks.asking import webhook_refusals
from diffam_client.contract.job import Job, ReferenceInput, StyleInput
from diffam_client.contract.problem import FieldError
from diffam_client.contract.wish import Id
from jobs.new_job import Accepted, NewJob, Once, Terms
from jobs.queue import FINETUNE
from model_store.additions import Objective, StyleOrder, check_name, check_order, refusals
from model_store.catalog import Mode

router = APIRouter(prefix="/v1/references", tags=["finetuning"], route_class=StrictJson)
FORM = form_schema(
    ReferenceSubmission,
    {"picture": "One face wearing the make-up", "bare": "The same face without make-up; made by the model if absent"},
    ["picture"],
)
ASKED = (*SENT_ONCE, *WEBHOOK, "idempotency_key_reused")
ADDED = (
    shown(202, "reference_queued", description="It waits, or runs")
    | shown(200, "reference_added", description="It is over", model=Job)
    | problems(*ASKED, *PHOTO, "reference_exists", "name_invalid")
)
FINE_TUNED = (
    shown(202, "finetune_queued", description="It waits, or runs")
    | shown(200, "finetune_canceled", description="It is over", model=Job)
    | problems(*ASKED, "not_found", "unknown_target", "unknown_recogniser", "held_out_attacked", "style_exists")
)


class Finetune(Told):
    """A style to fine-tune."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target_id: Id = Field(description="Whom to resemble: an id from /v1/targets", examples=["aurora"])
    held_out: Id = Field(description="The recogniser that is not attacked, and judges", examples=["ir152"])
    surrogates: list[Id] = Field([], description="Whom to attack; default: all others that may be attacked")
    mode: Mode = Field("lora", description="Half a megabyte, or all weights as in the paper")
    objective: Objective = Field("both", description="Towards the target, away from the owner")


@router.post("", status_code=202, response_model=Job, openapi_extra=FORM, responses=ADDED)
async def add_reference(request: Request, service: ServiceDep, sending: Sending) -> Response:
    """Make a reference of a picture with make-up. The job fails with a code when the picture cannot serve as one."""
    once, limit = by_key(service, sending.idempotency_key), service.settings.max_upload_bytes
    async with (
        read_once(service, once),
        read_form(request, ReferenceSubmission, "picture", ("bare",), limit) as sent,
    ):
        once, made = await recognised_form(service, once, request, sent)
        refused: list[FieldError] = []
        if not made and "reference_id" in sent.known:
            with noted(refused):
                check_name(service.catalog, sent.known["reference_id"])
        if not made:
            refused += await webhook_refusals(service.settings, service.signed_for, sent.known)
            made = await _reference_job(service, once, sent.accept(refused), sending)
    return await accepted(service, made, sending.prefer)


async def _reference_job(
    service: Service, once: Once | None, form: ReadForm[ReferenceSubmission], sending: SendingHeaders
) -> Accepted:
    decode = service.decoder.decode
    async with AsyncExitStack() as held:
        photos = {name: await held.enter_async_context(decode(file)) for name, file in form.uploads.items()}
        picture, bare = photos["picture"], photos.get("bare")
        wish = ReferenceInput(
            **form.fields.model_dump(exclude=set(Told.model_fields)), has_bare=bare is not None,
            width=picture.width, height=picture.height, bytes=picture.size_bytes,
        )  # fmt: skip
        new = NewJob(wish, service.bundle, FINETUNE, once, _terms(form.fields, sending))
        return await service.enqueue(new, picture.png, bare.png if bare else None)


@router.post("/{reference_id}/finetune", status_code=202, response_model=Job, responses=FINE_TUNED)
async def fine_tune_style(
    reference_id: str, order: Finetune, request: Request, service: ServiceDep, sending: Sending
) -> Response:
    """Fine-tune a reference's style for a target. When the job ends, photos can wear it at once."""
    once = by_key(service, sending.idempotency_key)
    async with read_once(service, once):
        once, made = await recognised(service, once, request, order, {})
        if not made:
            asked = _style_asked(service, reference_id, order)
            if refused := await webhook_refusals(service.settings, service.signed_for, dict(order)):
                raise field_problem(refused)
            made = await service.enqueue(NewJob(asked, service.bundle, FINETUNE, once, _terms(order, sending)))
    return await accepted(service, made, sending.prefer)


def _terms(told: Told, sending: SendingHeaders) -> Terms:
    """What holds for the job."""
    return Terms(end_within_s=sending.cancel_after, client_ref=told.client_ref, webhook=told.webhook)


def _style_asked(service: Service, reference_id: str, order: Finetune) -> StyleInput:
    """What is to be trained, with every default filled in. Raises Problem."""
    catalog = service.catalog
    if not any(card.id == reference_id for card in catalog.references):
        raise Problem("not_found", f"no reference {reference_id!r}")
    asked = StyleOrder(
        reference_id, order.target_id, order.held_out, tuple(order.surrogates), order.mode, order.objective
    )
    if refused := list(refusals(catalog, asked)):
        raise field_problem([FieldError(param=param, code=error.code, detail=str(error)) for param, error in refused])
    checked = check_order(catalog, asked)
    return StyleInput(
        reference_id=reference_id, target_id=checked.target, held_out=checked.held_out, surrogates=checked.surrogates,
        mode=checked.mode, objective=checked.objective,
    )  # fmt: skip
