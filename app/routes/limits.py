"""What holds here: sizes, formats, how long things live, how long a photo takes."""

from typing import get_args

from fastapi import APIRouter

from app.openapi.examples import shown
from app.openapi.problems import problems
from app.photo.formats import Extra
from app.service import Service, ServiceDep
from diffam_client.contract.limits import JobLimits, KeyQuota, Limits, PhotoLimits, Retention
from diffam_client.contract.wish import MAX_CANDIDATES, OutputFormat
from jobs.ledger import ONCE_S
from jobs.queue import PROTECT
from jobs.settings import Settings

router = APIRouter(prefix="/v1", tags=["catalog"])


@router.get("/limits", responses=shown(200, "limits") | problems())
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
