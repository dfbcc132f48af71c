"""Every test here has a pip and an npm that know one server on this machine and nothing else."""

import shutil

import pytest

from model_store.published.sources import Sources, read_sources
from tests.model_store.published.fetching.registries import isolate_registries, recognisers_table
from tests.model_store.published.file_server import FileHost


@pytest.fixture(autouse=True)
def registries(host: FileHost, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    isolate_registries(monkeypatch, host.address, tmp_path_factory.mktemp("npm"))


@pytest.fixture
def no_npm(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A machine without npm."""
    monkeypatch.setenv("PATH", str(tmp_path_factory.mktemp("empty")))


@pytest.fixture
def npm() -> str:
    """The npm of this machine."""
    found = shutil.which("npm")
    if found is None:
        pytest.skip("no npm on this machine: its own way to fetch a package was not tested")
    return found


@pytest.fixture
def recognisers(host: FileHost, tmp_path_factory: pytest.TempPathFactory) -> Sources:
    path = tmp_path_factory.mktemp("table") / "sources.toml"
    path.write_text(recognisers_table(host))
    return read_sources(path)
