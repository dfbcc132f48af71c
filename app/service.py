"""What the routes work with: built once when the web process starts, never imported as a global."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from celery import Celery
from fastapi import Depends, FastAPI, Request

from app.decoder import Decoder
from jobs.connect import connect
from jobs.ledger import Ledger
from jobs.queue import make_celery
from jobs.settings import Settings
from model_store.catalog import BUNDLES, Catalog, read_catalog


@dataclass(frozen=True)
class Service:
    """The open doors of the web process."""

    settings: Settings
    catalog: Catalog
    ledger: Ledger
    celery: Celery
    decoder: Decoder


@asynccontextmanager
async def open_service(app: FastAPI, settings: Settings) -> AsyncIterator[None]:
    """Serve `app` with a Service. Raises StoreError for a missing or damaged bundle, RedisNotConfigured."""
    catalog = read_catalog((settings.bundles_dir or BUNDLES) / settings.bundle)
    celery = make_celery(settings)
    with connect(settings) as redis, celery:
        app.state.service = Service(settings, catalog, Ledger(redis, settings), celery, Decoder(settings))
        yield


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


ServiceDep = Annotated[Service, Depends(_service)]
