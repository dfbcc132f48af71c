"""Is the process alive, and can the service do its work."""

from fastapi import APIRouter
from pydantic import BaseModel

from app.openapi.examples import shown
from app.openapi.problems import problems
from app.problem import Problem
from app.service import ServiceDep
from diffam_client.contract.offer import Ready

router = APIRouter(tags=["health"])

NOT_READY = problems("no_worker", "store_full", "ledger_unavailable")


class Alive(BaseModel):
    """The web process answers."""

    status: str = "alive"


@router.get("/livez", responses=shown(200, "alive") | problems())
async def livez() -> Alive:
    """Always 200 while the process can answer at all: restart it when it does not."""
    return Alive()


@router.get("/readyz", responses=shown(200, "ready") | NOT_READY)
def readyz(service: ServiceDep) -> Ready:
    """200 when a photo sent now would be worked on; else 503 with the reason."""
    workers = service.ledger.warm_workers()
    if not workers:
        raise Problem("no_worker", "no warm worker has shown a sign of life")
    return Ready(workers=workers, bundle=service.shipped.name)


class Live(BaseModel):
    """The same in the words of the Open Inference Protocol."""

    live: bool = True


class ReadyForInference(BaseModel):
    """The same in the words of the Open Inference Protocol."""

    ready: bool = True


@router.get("/v2/health/live", responses=shown(200, "v2_live") | problems())
async def v2_live() -> Live:
    """`/livez`, as inference servers have it."""
    return Live()


@router.get("/v2/health/ready", responses=shown(200, "v2_ready") | NOT_READY)
def v2_ready(service: ServiceDep) -> ReadyForInference:
    """`/readyz`, as inference servers have it."""
    readyz(service)
    return ReadyForInference()
