"""What holds here: sizes, formats, how long things live, how long a photo takes."""

from typing import get_args

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.photo.formats import Extra
from app.problem import PROBLEMS
from app.service import Service, ServiceDep
from jobs.access.keys import Quota
from jobs.ledger import ONCE_S
from jobs.queue import PROTECT
from jobs.settings import Settings
from jobs.wish import MAX_CANDIDATES, OutputFormat

router = APIRouter(prefix="/v1", tags=["catalog"], responses=PROBLEMS)


class PhotoLimits(BaseModel):
    """What an upload may be."""

    max_bytes: int = Field(description="Size of the file")
    max_pixels: int = Field(description="Width times height")
    max_side_px: int = Field(description="Longest side")
    min_side_px: int = Field(description="Shortest side")
    formats: list[str] = Field(description="Told by the first bytes, not by the name")


class JobLimits(BaseModel):
    """What one job may ask for, and how many there may be."""

    output_formats: list[str] = Field(description="What `output_format` may be")
    max_faces: int = Field(description="Faces that one job protects; others are reported")
    max_candidates: int = Field(description="Pictures to choose from")
    max_wait_s: int = Field(description="The longest `Prefer: wait=n` that is honoured")
    max_queued: int = Field(description="Jobs that may wait; beyond, 503 `queue_full`")
    max_uploads: int = Field(description="Uploads under way at once; beyond, 503 `too_many_uploads`")


class Retention(BaseModel):
    """How long things live, in seconds."""

    result_ttl_s: int = Field(description="A result after the job's end, unless `ttl_s` says otherwise")
    max_ttl_s: int = Field(description="The most that `ttl_s` may say")
    retry_ttl_s: int = Field(description="The photo of a job that may be retried, after its end; every other goes then")
    queue_timeout_s: int = Field(description="A job that nobody begins, until it fails")
    idempotency_key_s: int = Field(description="How long a request is known by its key, at least")
    forget_s: float = Field(description="Erased bytes in the files of the store, at most")


class KeyQuota(Quota):
    """How much your key may ask for, and what is left of it."""

    requests_left: int = Field(description="In this minute")
    jobs_now: int = Field(description="That wait or run")
    bytes_left: int = Field(description="In these 24 hours")


class Limits(BaseModel):
    """What holds for everybody, and for your key."""

    photo: PhotoLimits = Field(description="What an upload may be")
    job: JobLimits = Field(description="What one job may ask for, and how many there may be")
    retention: Retention = Field(description="How long things live")
    quota: KeyQuota | None = Field(description="Of your key; null where nobody needs one")
    seconds_per_photo: float | None = Field(
        description="Between the ends of photos lately, while there was work; null before the first"
    )


@router.get("/limits")
def read_limits(service: ServiceDep) -> Limits:
    """Sizes, formats, retention, and how long a photo takes."""
    settings = service.settings
    return Limits(
        photo=PhotoLimits(
            max_bytes=settings.max_upload_bytes,
            max_pixels=settings.max_pixels,
            max_side_px=settings.max_side_px,
            min_side_px=settings.min_side_px,
            formats=["jpeg", "png", "webp", *settings.extra_formats],
        ),
        job=_job_limits(settings),
        retention=Retention(
            result_ttl_s=settings.result_ttl_s,
            max_ttl_s=settings.max_result_ttl_s,
            retry_ttl_s=settings.retry_ttl_s,
            queue_timeout_s=settings.queue_timeout_s,
            idempotency_key_s=ONCE_S,
            forget_s=settings.forget_s,
        ),
        quota=_quota(service),
        seconds_per_photo=service.ledger.seconds_per_job(PROTECT),
    )


def _quota(service: Service) -> KeyQuota | None:
    key, quotas = service.key, service.quotas
    if key is None:
        return None
    return KeyQuota(
        **key.quota.model_dump(),
        requests_left=quotas.left("requests", key).remaining,
        jobs_now=quotas.jobs_at_once(key),
        bytes_left=quotas.left("bytes", key).remaining,
    )


def _job_limits(settings: Settings) -> JobLimits:
    refused = set(get_args(Extra)) - set(settings.extra_formats)
    return JobLimits(
        output_formats=[*(each for each in get_args(OutputFormat) if each not in refused), "same"],
        max_faces=settings.max_faces,
        max_candidates=MAX_CANDIDATES,
        max_wait_s=settings.max_wait_s,
        max_queued=settings.max_queued,
        max_uploads=settings.max_uploads,
    )
