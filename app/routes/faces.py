"""Only look: find the faces of a photo, so that a page can let people click on those to protect."""

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict

from app.form import read_form
from app.problem import PROBLEMS
from app.routes.jobs import Prefer, accepted, stored
from app.service import ServiceDep
from app.submission import form_schema
from jobs.job import Job
from jobs.queue import DETECT

router = APIRouter(prefix="/v1/faces", tags=["faces"], responses=PROBLEMS)


class Nothing(BaseModel):
    """A form of a photo alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")


FORM = form_schema(Nothing, {"photo": "A photo"}, ["photo"])
WAIT = "wait=10"


@router.post("", status_code=202, response_model=Job, openapi_extra=FORM)
async def find_faces(request: Request, service: ServiceDep, prefer: Prefer = WAIT) -> Response:
    """Find the faces of a photo: boxes and landmarks in its pixels, once it is upright, largest face first.

    Answers with the job: 200 when its `output.faces` came within ten seconds (or `Prefer: wait=n`), else 202. A photo
    without faces succeeds with none. The photo is erased as soon as it was looked at.
    """
    async with (
        read_form(request, Nothing, "photo", (), service.settings.max_upload_bytes) as sent,
        service.decoder.decode(sent.accept().uploads["photo"]) as photo,
    ):
        job_id = await service.enqueue(photo.png, stored(photo), DETECT)
    return await accepted(service, job_id, prefer)
