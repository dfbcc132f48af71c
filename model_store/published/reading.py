"""Reads the weights out of a checkpoint of any kind, without ever running code that it carries."""

import pickletools
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Literal

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from model_store.errors import CheckpointDamaged, CheckpointUnknown, CheckpointUnsafe

Kind = Literal["safetensors", "torch", "torchscript", "pickle", "zip", "page", "cut", "other"]
CHECKPOINT_SUFFIXES = (".bin", ".ckpt", ".pt", ".pth", ".safetensors")
WRAPPERS = ("state_dict", "model_state_dict", "model")
"""Where trainers keep the weights inside what they save."""
HEAD_BYTES = 512


def is_page(head: bytes) -> bool:
    """Whether a file that begins like this is a web page."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n")[:15].lower().startswith((b"<!doctype html", b"<html"))


def kind_of(path: Path) -> Kind:
    """What a file is by its content; "cut" is a zip archive whose table of contents is gone."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if is_page(head):
        return "page"
    if head.startswith(b"PK\x03\x04"):
        return _kind_of_zip(path)
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05":
        return "pickle"
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 2**27:
        return "safetensors"
    return "other"


def _kind_of_zip(path: Path) -> Kind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.partition("/")[2] for name in archive.namelist()}
    except (zipfile.BadZipFile, RuntimeError, ValueError, OSError):
        return "cut"
    if "constants.pkl" in names:
        return "torchscript"
    return "torch" if "data.pkl" in names else "zip"


def read_state(path: Path) -> dict[str, Tensor]:
    """The weights of a checkpoint by their keys, on the CPU; read lazily from the file where its format allows.

    Wrappers ("state_dict", lists, "module.") are taken off.
    Raises CheckpointDamaged, CheckpointUnsafe, CheckpointUnknown, each saying what to do; OSError.
    """
    kind = kind_of(path)
    if kind == "page":
        raise CheckpointDamaged("this is a web page, no checkpoint; open it in a browser and download the file itself")
    if kind == "cut":
        raise CheckpointDamaged("the file ends too early; download it again")
    if kind not in READERS:
        raise CheckpointDamaged("this is no checkpoint (neither safetensors nor torch); download the file again")
    try:
        if kind in ("torch", "torchscript"):
            _check_sums(path)
        return _unwrap(READERS[kind](path))
    except UnpicklingError as error:
        raise _refusal(error, path) from error
    # what the readers raise for bytes that make no sense differs with where those bytes are
    except (
        SafetensorError, RuntimeError, EOFError, LookupError, ValueError, TypeError, AttributeError, AssertionError,
        struct.error, zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        reason = str(error).partition("\n")[0][:200] or type(error).__name__
        raise CheckpointDamaged(f"the file cannot be read ({reason}); download it again") from error


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    with safe_open(path, "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  # no dict: it cannot be iterated


def _check_sums(path: Path) -> None:
    """Compare every member of a zip archive with its checksum; torch itself does not. Raises BadZipFile."""
    with zipfile.ZipFile(path) as archive:
        if name := archive.testzip():
            raise zipfile.BadZipFile(f"the checksum of {name} is wrong")


def _read_pickle(path: Path) -> object:
    with warnings.catch_warnings():  # a pickle of another protocol is read or refused; either way the answer says so
        warnings.filterwarnings("ignore", message="Detected pickle protocol")
        loaded: object = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    return loaded


def _read_torchscript(path: Path) -> dict[str, Tensor]:
    """The weights of a TorchScript archive. Its methods run only when called, except one that is refused here."""
    with zipfile.ZipFile(path) as archive:
        names = [member.filename.casefold() for member in archive.infolist()]
        if len(set(names)) < len(names):  # torch ignores case: it could read another one than we do
            raise CheckpointUnsafe("two members of this archive have the same name; do not use it")
        for member in archive.infolist():
            if member.filename.casefold().endswith(".py") and b"__setstate__" in archive.read(member):
                raise CheckpointUnsafe(
                    f"this archive runs code when opened ({member.filename}: __setstate__); do not use it"
                )
    with warnings.catch_warnings():  # torch calls TorchScript a thing of the past; OpenAI's archives are
        warnings.filterwarnings("ignore", message=r".*torch\.jit\.load")
        module = torch.jit.load(path, map_location="cpu")
    state: dict[str, Tensor] = module.state_dict()
    return state


READERS: dict[str, Callable[[Path], object]] = {
    "safetensors": _read_safetensors, "torch": _read_pickle, "pickle": _read_pickle, "torchscript": _read_torchscript
}  # fmt: skip


def _refusal(error: UnpicklingError, path: Path) -> CheckpointUnsafe | CheckpointDamaged:
    """torch refuses code and damaged pickles with one exception; only for code there is a global to name."""
    found = re.search(r"GLOBAL ([\w.]*\w) ", str(error))
    if name := found[1] if found else _first_global(path):
        return CheckpointUnsafe(
            f"this pickle wants to run {name} and was not read; save its state_dict alone, or get the published file"
        )
    reason = str(error).partition("\n")[0][:200]
    return CheckpointDamaged(f"the file cannot be read ({reason}); download it again")


def _first_global(path: Path) -> str | None:
    """The first thing that a pickle of protocol 4 or newer imports; torch reads none of those, so it names nothing."""
    strings: list[str] = []
    try:
        with path.open("rb") as file:
            for opcode, argument, _ in pickletools.genops(file):
                if opcode.name == "STACK_GLOBAL":
                    return ".".join(strings[-2:])
                if isinstance(argument, str):
                    strings.append(argument)
    except ValueError:  # no pickle, or cut short
        pass
    return None


def _unwrap(loaded: object) -> dict[str, Tensor]:
    """The state dict inside whatever was saved. Raises CheckpointUnknown."""
    if isinstance(loaded, Mapping):
        for name in WRAPPERS:
            if isinstance(loaded.get(name), Mapping):
                return _unwrap(loaded[name])
        state = {str(key): value for key, value in loaded.items() if isinstance(value, Tensor)}
        if state and all(key.startswith("module.") for key in state):
            state = {key.removeprefix("module."): value for key, value in state.items()}
        if state:
            return state
    if isinstance(loaded, Sequence) and loaded and isinstance(loaded[0], Mapping):
        return _unwrap(loaded[0])
    raise CheckpointUnknown("there are no weights in this file; the published checkpoints hold a state dict")
