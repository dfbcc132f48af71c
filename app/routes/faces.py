"""Only look: find the faces of a photo, so that a page can let people click on those to protect."""

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict

from app.answers import accepted
from app.form import read_form
from app.openapi.examples import shown
from app.openapi.forms import form_schema
from app.openapi.problems import PHOTO, SENT_ONCE, problems
from app.repeats import by_key, read_once, recognised_form
from app.routes.sending import stored
from app.service import Service, ServiceDep
from app.submission import Sending
from diffam_client.contract.job import Job
from jobs.new_job import Accepted, NewJob, Once, Terms
from jobs.queue import DETECT

router = APIRouter(prefix="/v1/faces", tags=["faces"])


class Nothing(BaseModel):
    """A form of a photo alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")


FORM = form_schema(Nothing, {"photo": "A photo"}, ["photo"])
WAIT = "wait=10"
FOUND = (
    shown(202, "faces_queued", description="It still waits, or runs")
    | shown(200, "faces_found", description="The faces", model=Job)
    | problems(*SENT_ONCE, *PHOTO, "idempotency_key_reused")
)


@router.post("", status_code=202, response_model=Job, openapi_extra=FORM, responses=FOUND)
async def find_faces(request: Request, service: ServiceDep, sending: Sending) -> Response:
    """Find the faces of a photo: boxes and landmarks in its pixels, once it is upright, largest face first.

    Answers with the job: 200 when its `output.faces` came within ten seconds (or `Prefer: wait=n`), else 202. A photo
    without faces succeeds with none. The photo is erased as soon as it was looked at.
    """
    once = by_key(service, sending.idempotency_key)
    async with read_once(service, once):
        made = await _made(request, service, once, Terms(end_within_s=sending.cancel_after))
    return await accepted(service, made, sending.prefer or WAIT)


async def _made(request: Request, service: Service, once: Once | None, terms: Terms) -> Accepted:
    async with read_form(request, Nothing, "photo", (), service.settings.max_upload_bytes) as sent:
        once, made = await recognised_form(service, once, request, sent)
        if made:
            return made
        async with service.decoder.decode(sent.accept().uploads["photo"]) as photo:
            return await service.enqueue(NewJob(stored(photo), service.bundle, DETECT, once, terms), photo.png)
