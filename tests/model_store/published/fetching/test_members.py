"""One file is taken out of an archive, and whatever else lies in there does nothing."""

import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from model_store.errors import DownloadDamaged
from model_store.published.fetching.members import take
from model_store.published.sources import Source
from tests.model_store.published.fetching.registries import sha256, tar_gz

DATA = os.urandom(200_000)
ZEROS = 64 * 2**20


def source_of(member: str = "nets/net.onnx", data: bytes = DATA) -> Source:
    return Source("net.onnx", ("net",), pip="nets", version="1", member=member, sha256=sha256(data))


def zipped(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return packed.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the member goes; the archive lies beside it."""
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


def taken(archive: bytes, folder: Path, source: Source | None = None, largest_bytes: int = 2**20) -> bytes:
    path = folder.parent / "nets.archive"
    path.write_bytes(archive)
    take(path, source or source_of(), folder, largest_bytes)
    return (folder / "net.onnx").read_bytes()


@pytest.mark.parametrize("pack", [zipped, tar_gz])
def test_the_member_becomes_a_file_of_its_own_name_and_nothing_else_does(pack: object, folder: Path) -> None:
    members = {"../../net.onnx": b"out", "/net.onnx": b"root", "nets/other": b"other", "nets/net.onnx": DATA}
    assert taken(pack(members), folder) == DATA  # type: ignore[operator]
    assert sorted(path.name for path in folder.parent.rglob("*")) == ["here", "net.onnx", "nets.archive"]


def test_even_a_member_whose_path_leads_out_stays_in(folder: Path) -> None:
    source = source_of("../../net.onnx")
    assert taken(tar_gz({"../../net.onnx": DATA}), folder, source) == DATA


@pytest.mark.parametrize("pack", [zipped, tar_gz])
def test_another_content_is_refused_with_both_digests(pack: object, folder: Path) -> None:
    (folder / "net.onnx").write_bytes(b"as it was")
    says = rf"nets/net\.onnx in nets==1 has the digest {sha256(b'x')[:16]} instead of {sha256(DATA)[:16]}"
    with pytest.raises(DownloadDamaged, match=says):
        taken(pack({"nets/net.onnx": b"x"}), folder)  # type: ignore[operator]
    assert (folder / "net.onnx").read_bytes() == b"as it was"


@pytest.mark.parametrize("pack", [zipped, tar_gz])
def test_a_package_without_the_member_is_told(pack: object, folder: Path) -> None:
    with pytest.raises(DownloadDamaged, match=r"nets==1 has no nets/net\.onnx"):
        taken(pack({"nets/other.onnx": DATA}), folder)  # type: ignore[operator]


@pytest.mark.parametrize("pack", [zipped, tar_gz])
@pytest.mark.parametrize("kept", [0, 3, 100_000, -100])
def test_an_archive_that_is_cut_short_is_told(pack: object, kept: int, folder: Path) -> None:
    whole: bytes = pack({"nets/net.onnx": DATA, "nets/rest": os.urandom(2000)})  # type: ignore[operator]
    with pytest.raises(DownloadDamaged, match="cannot be read as an archive"):
        taken(whole[:kept], folder)
    assert list(folder.iterdir()) == []


def test_no_archive_at_all_is_told(folder: Path) -> None:
    with pytest.raises(DownloadDamaged, match="cannot be read as an archive"):
        taken(b"<!doctype html>", folder)


@pytest.mark.parametrize("pack", [zipped, tar_gz])
def test_a_bomb_is_not_unpacked(pack: object, folder: Path) -> None:
    with pytest.raises(DownloadDamaged, match="unpacks to more than 1 MiB"):
        taken(pack({"nets/net.onnx": bytes(ZEROS)}), folder)  # type: ignore[operator]
    assert list(folder.iterdir()) == []


def test_a_bomb_beside_the_member_is_passed_over_in_a_wheel_and_ends_the_reading_of_a_stream(folder: Path) -> None:
    members = {"bomb": bytes(ZEROS), "nets/net.onnx": DATA}
    assert taken(zipped(members), folder) == DATA
    with pytest.raises(DownloadDamaged, match="unpacks to more than 1 MiB"):
        taken(tar_gz(members), folder)


def test_a_link_is_no_member(folder: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo("nets/net.onnx")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(entry)
    with pytest.raises(DownloadDamaged, match="has no"):
        taken(packed.getvalue(), folder)
