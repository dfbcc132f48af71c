"""The worker process, one per accelerator: `python -m worker.main`."""

from functools import partial

import structlog
import torch

from jobs.logs import configure_logging
from jobs.settings import Settings
from model_store.bundle import Bundle, open_bundle
from model_store.catalog import ReferenceCard, find_bundle, read_catalog
from worker.pipeline import ProtectRequest, protect_photos
from worker.serve import serve

log = structlog.get_logger()


def main() -> None:
    """Load and warm the models, then serve. Only then does the worker count as ready."""
    settings = Settings()
    configure_logging(settings.log_level)
    if settings.torch_threads:
        torch.set_num_threads(settings.torch_threads)
    folder = find_bundle(settings.bundle, settings.shelves)
    log.info("bundle_opening", bundle=settings.bundle, device=settings.device)
    bundle = open_bundle(folder, settings.device, settings.added)
    if looks := read_catalog(folder).references:  # a pulled bundle may have none until somebody adds one
        warm_up(bundle, looks[0])
    log.info("worker_warm", bundle=settings.bundle)
    serve(settings, partial(protect_photos, bundle))


def warm_up(bundle: Bundle, look: ReferenceCard) -> None:
    """Take one photo all the way, so that no user pays for first calls, and a bundle that cannot work fails here."""
    request = ProtectRequest(look.image.read_bytes(), look.id, None)
    protect_photos(bundle, [request], lambda *_: None)


if __name__ == "__main__":
    main()
