"""The operator's view of the service: what waits, who works, what is trained, why jobs failed, who asks how much."""

from collections.abc import Iterable
from importlib.metadata import version

from fastapi import APIRouter, Response

from app.codes import FACTS
from app.openapi.examples import files, shown
from app.openapi.problems import problems
from app.problem import Problem
from app.service import Service, ServiceDep
from diffam_client.contract.admin import Failure, KeyUse, Operations
from jobs.access.keys import Key
from jobs.access.quotas import Quotas
from jobs.reading.overview import Ended

router = APIRouter(prefix="/v1", tags=["admin"])

MOST_KEYS = 200
OF_ANOTHER_VERSION = "This version of the service knows no such code."


@router.get("/admin", responses=shown(200, "operations") | problems("listing_closed"))
def read_operations(service: ServiceDep) -> Operations:
    """What waits, who works on what, what is trained, why jobs failed lately, and how much keys ask for.

    States and numbers alone; of other people's jobs the first characters of their ids, which open nothing. It needs a
    key of the scope `admin`. Where no keys are asked for it is open, and 403 if a proxy lets others in.
    """
    _check_asker(service)
    settings, seen, keys = service.settings, service.overview.read(), service.keyring.keys
    return Operations(
        at=seen.at,
        version=version("diffam"),
        bundle=service.bundle,
        lease_s=settings.lease_s,
        max_queued=settings.max_queued,
        lines=seen.lines,
        workers=seen.workers,
        trainings=seen.trainings,
        hours=seen.hours,
        failures=_failures(seen.ended),
        keys=_uses(service.quotas, keys) if service.keyring.is_asked_for else None,
        keys_in_all=len(keys),
    )


@router.get(
    "/admin/trainings/{short_id}/sheet",
    response_class=Response,
    responses=files("image/jpeg") | problems("listing_closed", "not_found"),
)
def read_sheet(short_id: str, service: ServiceDep) -> Response:
    """How a style in training looks so far: drawn people, and below them the same in the style. No photo of anybody."""
    _check_asker(service)
    sheet = service.overview.sheet(short_id)
    if sheet is None:
        raise Problem("not_found", "no style in training has such an id and a sheet")
    return Response(sheet, media_type="image/jpeg")


def _check_asker(service: Service) -> None:
    """Raises Problem where a proxy lets others in and nobody has a key. What keys may, the gate has told."""
    if service.key is None and service.settings.behind_proxy:
        raise Problem("listing_closed", "there are no keys that tell who is the operator")


def _failures(ended: Iterable[Ended]) -> list[Failure]:
    """By code and kind, the most frequent first. ended: the oldest first."""
    found: dict[tuple[str, str, str], Failure] = {}
    for each in ended:
        if each.status == "succeeded":
            continue
        name = (each.code, each.status, each.kind)
        before = found[name].count if name in found else 0
        found[name] = Failure(
            code=each.code,
            status=each.status,
            kind=each.kind,
            count=before + each.count,
            last_at=each.hour,
            retryable=each.is_retryable,
            explanation=FACTS[each.code].explanation if each.code in FACTS else OF_ANOTHER_VERSION,
        )
    return sorted(found.values(), key=lambda failure: -failure.count)


def _uses(quotas: Quotas, keys: Iterable[Key]) -> list[KeyUse]:
    """The newest first, MOST_KEYS at most."""
    newest = sorted(keys, key=lambda key: key.created_at, reverse=True)[:MOST_KEYS]
    return [
        KeyUse(
            id=key.id,
            name=key.name,
            scopes=list(key.scopes),
            created_at=key.created_at,
            quota=key.quota,
            requests_now=used.requests,
            jobs_now=used.jobs,
            bytes_now=used.bytes,
        )
        for key, used in zip(newest, quotas.used(newest), strict=True)
    ]
