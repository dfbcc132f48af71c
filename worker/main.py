"""The worker process, one per accelerator: `python -m worker.main`."""

from functools import partial

import structlog
import torch

from diffam_client.contract.wish import Wish
from jobs.logs import configure_logging
from jobs.settings import Settings
from model_store.additions import with_additions
from model_store.bundle import Bundle
from model_store.catalog import Catalog
from model_store.choice import choose_bundle
from model_store.opening import open_chosen
from protection.pipeline import detect_faces, finish_photo, make_photos_up, open_photo, protect_photos
from protection.plan import Request
from worker.photo_jobs import Pipeline
from worker.serve import serve

log = structlog.get_logger()


def main() -> None:
    """Load and warm the models, then serve. Only then does the worker count as ready."""
    settings = Settings()
    configure_logging(settings.log_level)
    if settings.torch_threads:
        torch.set_num_threads(settings.torch_threads)
    choice = choose_bundle(settings.bundle, settings.shelf, settings.judges)
    name = choice.folder.name
    log.info("bundle_opening", bundle=name, device=settings.device)
    bundle = open_chosen(choice, settings.device, settings.added_to(name))
    warm_up(bundle, with_additions(bundle.catalog, bundle.added))
    log.info("worker_warm", bundle=name)
    models = bundle.models
    pipeline = Pipeline(
        detect=partial(detect_faces, models),
        open=partial(open_photo, models, settings.max_faces),
        make_up=partial(make_photos_up, bundle),
        finish=partial(finish_photo, bundle),
    )
    serve(settings, pipeline, name)


def warm_up(bundle: Bundle, catalog: Catalog) -> None:
    """Take one photo all the way, so that no user pays for first calls, and a bundle that cannot work fails here.

    A pulled bundle has references but no style until somebody fine-tunes one: then there is nothing to warm up.
    """
    for style in catalog.styles[:1]:
        picture = catalog.reference(style.reference).image.read_bytes()
        protect_photos(
            bundle, [Request(picture, Wish(reference_id=style.reference, target_id=style.target))], lambda *_: None
        )


if __name__ == "__main__":
    main()
