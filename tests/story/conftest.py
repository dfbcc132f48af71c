"""The whole service as `diffam up` starts it: real Valkey, real worker process, real bundle, real HTTP."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import httpx
import pytest
from PIL import Image

from cli.client import FinishedJob, Job, fetch, follow, submit
from cli.stack.stack import Stack, running_stack
from jobs.settings import Settings
from model_store.catalog import BUNDLES, Catalog, read_catalog
from model_store.rendered.scenes import demo_scene


@dataclass(frozen=True)
class Service:
    """A served stack and the calls that the story makes."""

    stack: Stack
    client: httpx.Client
    catalog: Catalog

    def submit(self, photo: bytes, **fields: Any) -> Job:
        """An accepted job for `photo`, in the first look on offer unless another is named."""
        reference = fields.get("reference", self.catalog.references[0].id)
        return submit(self.client, photo, reference, fields.get("target"))

    def follow(self, job: Job, on_change: Callable[[Job], None] = lambda _: None) -> FinishedJob:
        """The job at its good end."""
        return follow(self.client, job, on_change)

    def picture(self, job: Job, part: str = "result") -> Image.Image:
        """The job's result or comparison, decoded."""
        return Image.open(BytesIO(fetch(self.client, job, part)))


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for the whole story; leases are short, so that a killed worker costs seconds."""
    data_dir = tmp_path_factory.mktemp("service")
    settings = Settings(_env_file=None, redis_url=None, data_dir=data_dir, port=0, lease_s=4, reap_every_s=0.5)
    with running_stack(settings, print) as stack, httpx.Client(base_url=stack.url, timeout=60) as client:
        stack.wait_until_ready()
        yield Service(stack, client, read_catalog(BUNDLES / settings.bundle))


@pytest.fixture(scope="session")
def scene() -> bytes:
    """A rendered person in a rendered room, 512 pixels square, as PNG bytes."""
    return png(demo_scene(seed=1, size=512))


def png(photo: Image.Image) -> bytes:
    """PNG bytes of `photo`."""
    file = BytesIO()
    photo.save(file, "PNG")
    return file.getvalue()
