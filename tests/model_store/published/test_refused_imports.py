"""Published files that cannot become a bundle: each is named with what is wrong, and the shelf stays as it was."""

import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from model_store.catalog import damaged_files
from model_store.errors import (
    ArchiveUnsafe,
    CheckpointDamaged,
    CheckpointUnknown,
    CheckpointUnsafe,
    ImportFailed,
    PictureDamaged,
)
from tests.model_store.published.small import assets, bundle_of, encoded, everything, labels, picture, state
from tests.model_store.published.test_reading import Code


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-300])


def page(path: Path) -> None:
    path.write_bytes(b"<!DOCTYPE html><html><body>Google Drive can't scan this file for viruses.</body></html>")


def lacking(path: Path) -> None:
    weights = state("bisenet")
    del weights["bisenet.weight2"]
    torch.save(weights, path)


def misshapen(path: Path) -> None:
    torch.save(state("bisenet") | {"bisenet.weight2": torch.zeros(3, 4)}, path)


def foreign(path: Path) -> None:
    torch.save({"encoder.layer": torch.zeros(3), "encoder.bias": torch.zeros(3)}, path)


def not_a_number(path: Path) -> None:
    torch.save(state("bisenet") | {"bisenet.weight1": torch.full((2, 3), float("nan"))}, path)


def code(path: Path) -> None:
    torch.save({"a": Code(path.parent / "trace")}, path)


@pytest.mark.parametrize(
    ("spoil", "error", "says"),
    [
        (cut, CheckpointDamaged, "ends too early"),
        (page, CheckpointDamaged, "web page"),
        (lacking, CheckpointDamaged, r"bisenet.*bisenet\.weight2 is missing"),
        (misshapen, CheckpointDamaged, r"bisenet\.weight2 is \(3, 4\) instead of \(3, 3\)"),
        (foreign, CheckpointUnknown, r"encoder\.bias"),
        (not_a_number, CheckpointDamaged, r"own\.weight1 holds values that are no numbers"),
        (code, CheckpointUnsafe, r"posix\.mkdir"),
    ],
)
def test_a_bad_file_is_named_and_changes_nothing(
    files: Path, place: Path, tmp_path: Path, spoil: Callable[[Path], None], error: type[ImportFailed], says: str
) -> None:
    spoiled = Path(shutil.copytree(files, tmp_path / "downloads"))
    spoil(spoiled / "79999_iter.pth")
    for is_there in (False, True):
        if is_there:
            bundle_of([files], place)
        before = everything(place)
        with pytest.raises(error, match=rf"^downloads/79999_iter\.pth: .*{says}"):
            bundle_of([spoiled], place)
        assert everything(place) == before
        assert not (spoiled / "trace").exists()
    assert damaged_files(place) == []


def test_code_inside_the_archive_is_refused_too(files: Path, place: Path, tmp_path: Path) -> None:
    torch.save({"a": Code(tmp_path / "trace")}, tmp_path / "bad.pth")
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.write(tmp_path / "bad.pth", "models/bad.pth")
    with pytest.raises(CheckpointUnsafe, match=r"more\.zip: models/bad\.pth"):
        bundle_of([files, tmp_path / "more.zip"], place)
    assert not (tmp_path / "trace").exists()


def link(archive: zipfile.ZipFile) -> None:
    member = zipfile.ZipInfo("assets/models/ir152.pth")
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(member, "/etc/passwd")


def bomb(archive: zipfile.ZipFile) -> None:
    archive.writestr("ir152.pth", bytes(32 * 2**20), zipfile.ZIP_DEFLATED)


@pytest.mark.parametrize(
    ("fill", "says"),
    [
        (lambda archive: archive.writestr("../../outside.pth", b"x"), "leads out"),
        (lambda archive: archive.writestr("/outside.pth", b"x"), "leads out"),
        (lambda archive: archive.writestr("a\\..\\..\\outside.pth", b"x"), "leads out"),
        (lambda archive: archive.writestr("C:/outside.pth", b"x"), "leads out"),
        (link, "is a link"),
        (bomb, "-fold"),
    ],
)
def test_an_archive_that_no_honest_packer_made_is_refused(
    files: Path, place: Path, tmp_path: Path, fill: Callable[[zipfile.ZipFile], None], says: str
) -> None:
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        fill(archive)
    with pytest.raises(ArchiveUnsafe, match=rf"more\.zip: .*{says}"):
        bundle_of([files, tmp_path / "more.zip"], place)
    assert everything(place) == []
    assert not list(tmp_path.rglob("*outside*"))


def test_a_flipped_byte_inside_the_archive_is_found(files: Path, place: Path, tmp_path: Path) -> None:
    data = bytearray((files / "assets.zip").read_bytes())
    with zipfile.ZipFile(files / "assets.zip") as archive:
        start = archive.getinfo("assets/models/facenet.pth").header_offset
    data[start + 200] ^= 1
    (tmp_path / "assets.zip").write_bytes(data)
    with pytest.raises(CheckpointDamaged, match=r"assets\.zip.*download it again"):
        bundle_of([tmp_path / "assets.zip"], place)


@pytest.mark.parametrize(
    ("member", "says"),
    [("XMY-060_mask.png", r"XMY-060_mask\.png"), ("XMY-060_nm.png", r"XMY-060_nm\.png"), ("166607.jpg", "test/166607")],
)
def test_a_missing_member_is_named(files: Path, place: Path, tmp_path: Path, member: str, says: str) -> None:
    some = Path(shutil.copytree(files, tmp_path / "downloads"))
    assets(some / "assets.zip", without=member)
    with pytest.raises(PictureDamaged, match=says):
        bundle_of([some], place)
    assert everything(place) == []


@pytest.mark.parametrize(
    ("mask", "says"),
    [
        (picture(1), "labels end at 13"),
        (encoded(labels() * 0), "shows no lips"),
        (b"\x89PNG no more", "cannot be decoded"),
    ],
)
def test_a_mask_that_is_none_is_explained(files: Path, place: Path, tmp_path: Path, mask: bytes, says: str) -> None:
    pairs = tmp_path / "mine" / "pairs"
    pairs.mkdir(parents=True)
    for part, data in (("m", picture(1)), ("nm", picture(2)), ("mask", mask)):
        (pairs / f"Mine_{part}.png").write_bytes(data)
    with pytest.raises(PictureDamaged, match=says):
        bundle_of([files, pairs.parent], place)
