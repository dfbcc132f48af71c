"""The whole service as `diffam up` starts it: real Valkey, real worker process, real bundle, real HTTP."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import httpx
import pytest
from PIL import Image

from cli.stack.stack import Stack, running_stack
from diffam_client import Client, Job, JobFailed
from diffam_client.contract.job import Output
from diffam_client.contract.report import ProtectedFace
from diffam_client.watching import OnProgress
from jobs.settings import Settings
from model_store.catalog import BUNDLES, Catalog, read_catalog
from model_store.rendered.scenes import demo_scene
from tests.other_site import Site, other_site


@dataclass(frozen=True)
class Service:
    """A served stack and the calls that the story makes. client: for what is said in HTTP's own words."""

    stack: Stack
    api: Client
    client: httpx.Client
    catalog: Catalog
    settings: Settings

    def submit(self, photo: bytes, **asked: Any) -> Job:
        """An accepted job for `photo`, in the first look on offer unless another is named."""
        return self.api.submit(photo, **{"reference": self.catalog.references[0].id, **asked})

    def follow(self, job: Job | str, on_progress: OnProgress | None = None) -> Job:
        """The job at its good end. Raises JobFailed."""
        return followed(self.api, job, on_progress)

    def picture(self, job: Job, part: str = "result") -> Image.Image:
        """The job's result or comparison, decoded."""
        return Image.open(BytesIO(self.api.result(job) if part == "result" else self.api.comparison(job)))


def followed(api: Client, job: Job | str, on_progress: OnProgress | None = None) -> Job:
    """The job at its good end. Raises JobFailed."""
    over = api.wait(job, on_progress)
    if over.output is None:
        raise JobFailed(over)
    return over


def made(job: Job) -> Output:
    """What came of a job that succeeded."""
    assert job.output is not None
    return job.output


def face_of(job: Job) -> ProtectedFace:
    """The one face of a job's photo, which was protected."""
    (face,) = made(job).faces
    assert isinstance(face, ProtectedFace)
    return face


@pytest.fixture(scope="session")
def listener() -> Iterator[socket.socket]:
    """Where somebody else's site will be: known before the service, which is told to allow it."""
    with socket.create_server(("127.0.0.1", 0), backlog=32) as found:
        yield found


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory, listener: socket.socket) -> Iterator[Service]:
    """One service for the whole story; leases are short, so that a killed worker costs seconds. It may tell us."""
    settings = Settings(
        _env_file=None,
        redis_url=None,
        data_dir=tmp_path_factory.mktemp("service"),
        port=0,
        lease_s=4,
        reap_every_s=0.5,
        webhook_loopback=True,
        allowed_origins=(f"http://localhost:{listener.getsockname()[1]}",),
    )
    with (
        running_stack(settings, print) as stack,
        Client(stack.url) as api,
        httpx.Client(base_url=stack.url, timeout=60) as client,
    ):
        stack.wait_until_ready()
        yield Service(stack, api, client, read_catalog(BUNDLES / settings.bundle), settings)


@pytest.fixture(scope="session")
def site(service: Service, listener: socket.socket) -> Iterator[Site]:
    """Somebody else's, with forms for photos."""
    with other_site(listener, service.stack.url) as found:
        yield found


@pytest.fixture(scope="session")
def scene() -> bytes:
    """A rendered person in a rendered room, 512 pixels square, as PNG bytes."""
    return png(demo_scene(seed=1, size=512))


def png(photo: Image.Image) -> bytes:
    """PNG bytes of `photo`."""
    file = BytesIO()
    photo.save(file, "PNG")
    return file.getvalue()
