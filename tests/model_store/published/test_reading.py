"""Checkpoints are read whatever they are wrapped in, and none of them is ever run."""

import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from model_store.errors import CheckpointDamaged, CheckpointUnknown, CheckpointUnsafe
from model_store.published.reading import read_state
from tests.model_store.published.small import save_torchscript

WEIGHTS = {"net.a": torch.arange(2000.0).view(20, 100), "net.b": torch.ones(3, dtype=torch.half)}


def is_read(path: Path) -> bool:
    found = read_state(path)
    return found.keys() == WEIGHTS.keys() and all(torch.equal(found[key], WEIGHTS[key]) for key in WEIGHTS)


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize(
    "saved",
    [
        WEIGHTS,
        {"state_dict": WEIGHTS, "epoch": 3},
        {"model": {f"module.{key}": value for key, value in WEIGHTS.items()}},
        {"model_state_dict": {"state_dict": WEIGHTS}},
        [WEIGHTS, {"lr": 1e-4}],
    ],
)
def test_weights_are_found_in_whatever_a_trainer_put_around_them(tmp_path: Path, saved: object, is_zip: bool) -> None:
    torch.save(saved, tmp_path / "net.pth", _use_new_zipfile_serialization=is_zip)
    assert is_read(tmp_path / "net.pth")


def test_safetensors_are_read_under_any_name(tmp_path: Path) -> None:
    save_file(WEIGHTS, tmp_path / "net.ckpt")
    assert is_read(tmp_path / "net.ckpt")


def test_a_torchscript_archive_gives_its_weights(tmp_path: Path) -> None:
    save_torchscript(WEIGHTS, tmp_path / "net.pt")
    assert is_read(tmp_path / "net.pt")


class Code:
    """A pickle that leaves a file behind if anybody runs it."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("form", ["zip", "legacy", "pickle 2", "pickle 5"])
def test_code_in_a_pickle_is_named_and_not_run(tmp_path: Path, form: str) -> None:
    path, code = tmp_path / "net.pth", Code(tmp_path / "trace")
    if form.startswith("pickle"):
        path.write_bytes(pickle.dumps(code, int(form[-1])))
    else:
        torch.save({"a": code}, path, _use_new_zipfile_serialization=form == "zip")
    with pytest.raises(CheckpointUnsafe, match=r"posix\.mkdir .* state_dict"):
        read_state(path)
    assert not (tmp_path / "trace").exists()


def test_a_pickled_module_is_refused_by_the_name_of_its_class(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "net.pth")
    with pytest.raises(CheckpointUnsafe, match=r"torch\.nn\.modules\.linear\.Linear"):
        read_state(tmp_path / "net.pth")


@pytest.mark.parametrize("name", ["net/code/__torch__/more.py", "net/code/__torch__/more.PY"])
def test_a_torchscript_archive_that_runs_code_when_opened_is_refused(tmp_path: Path, name: str) -> None:
    save_torchscript(WEIGHTS, tmp_path / "net.pt")
    with zipfile.ZipFile(tmp_path / "net.pt", "a") as archive:
        archive.writestr(name, "def __setstate__(self, state: int) -> None:\n  pass\n")
    with pytest.raises(CheckpointUnsafe, match="__setstate__"):
        read_state(tmp_path / "net.pt")


def test_a_torchscript_archive_with_two_members_of_one_name_is_refused(tmp_path: Path) -> None:
    save_torchscript(WEIGHTS, tmp_path / "net.pt")
    with zipfile.ZipFile(tmp_path / "net.pt", "a") as archive:
        archive.writestr(archive.namelist()[0].upper(), b"another")
    with pytest.raises(CheckpointUnsafe, match="same name"):
        read_state(tmp_path / "net.pt")


@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors", "torchscript"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.99])
def test_a_file_that_was_cut_short_is_damaged(tmp_path: Path, form: str, share: float) -> None:
    path = tmp_path / "net.pth"
    if form == "safetensors":
        save_file(WEIGHTS, path)
    elif form == "torchscript":
        save_torchscript(WEIGHTS, path)
    else:
        torch.save(WEIGHTS, path, _use_new_zipfile_serialization=form == "zip")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(CheckpointDamaged, match="download"):
        read_state(path)


def test_a_flipped_byte_in_a_torch_archive_is_found(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    torch.save(WEIGHTS, path)
    data = bytearray(path.read_bytes())
    data[data.index(WEIGHTS["net.a"].numpy().tobytes()) + 4000] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointDamaged, match="checksum"):
        read_state(path)


def test_a_web_page_is_called_one(tmp_path: Path) -> None:
    (tmp_path / "net.pth").write_bytes(b"\xef\xbb\xbf\n<!doctype HTML><title>Google Drive</title>")
    with pytest.raises(CheckpointDamaged, match=r"web page.*browser"):
        read_state(tmp_path / "net.pth")


def test_text_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "net.pth").write_bytes(b"version https://git-lfs.github.com/spec/v1\n" * 20)
    with pytest.raises(CheckpointDamaged, match="no checkpoint"):
        read_state(tmp_path / "net.pth")


def test_a_file_without_weights_says_so(tmp_path: Path) -> None:
    torch.save({"epoch": 3, "names": ["a"]}, tmp_path / "net.pth")
    with pytest.raises(CheckpointUnknown, match="no weights"):
        read_state(tmp_path / "net.pth")
