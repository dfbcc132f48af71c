"""Makes the folder of recognisers: what was fetched is read, checked and stored as safetensors, the rest left out."""

import shutil
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

import tomli_w
from safetensors.torch import save_file
from torch import Tensor, nn

from diffam_core.networks.recognisers import ARCHITECTURES
from diffam_core.networks.released import DlibResNet, ReleasedMobileNet
from model_store.additions import finished
from model_store.digest import sha256_of
from model_store.errors import CheckpointUnknown, ImportFailed
from model_store.judges import LISTING, read_judges_manifest
from model_store.manifest import FileRow, JudgeRow, JudgesManifest
from model_store.published.detector import check_detector
from model_store.published.draft import about, drafted
from model_store.published.recognisers import dlib_file, tfjs_file
from model_store.published.recognisers.convolutions import fill, put
from model_store.published.recognisers.onnx_file import read_onnx
from model_store.published.sources import Part, read_sources

SOURCES = Path(__file__).with_name("sources.toml")
KNOWN = Path(__file__).with_name("recognisers.toml")
DETECTOR, DETECTOR_SOURCE = "yunet.onnx", "face_detection_yunet_2023mar_int8bq.onnx"


def known_recognisers() -> dict[str, JudgeRow]:
    """All recognisers that can be imported, by name."""
    return cast(dict[str, JudgeRow], tomllib.loads(KNOWN.read_text(encoding="utf-8")))


def import_recognisers(downloads: Path, folder: Path) -> dict[str, str]:
    """Import every recogniser whose files lie in `downloads` into `folder`; those that were there already stay.

    Returns where each new file came from. Nothing changes on an error.  Raises ImportFailed, each kind naming the file
    and what gave it away, OSError.
    """
    sources, made = read_sources(SOURCES), dict[str, str]()
    with drafted(folder, LISTING) as place:
        manifest = read_judges_manifest(place)

        def note(stored: str, part: str, originals: list[Path]) -> None:
            manifest["files"][stored] = _row(sources.parts[part], place / stored, originals)
            made[stored] = " and ".join(file.name for file in originals)

        detector = downloads / DETECTOR_SOURCE
        if detector.is_file():
            with about(detector.name):
                check_detector(detector)
            with finished(place / DETECTOR) as partial:
                shutil.copyfile(detector, partial)
            manifest["detector"] = DETECTOR
            note(DETECTOR, "yunet", [detector])
        if not manifest["detector"]:
            raise ImportFailed(f"{DETECTOR_SOURCE} is missing: without it nobody says where eyes, nose and mouth are")
        for name, row in known_recognisers().items():
            files = [downloads / file for file in row["files"]]
            if all(file.is_file() for file in files):
                stored = f"{name}.safetensors"
                with finished(place / stored) as partial:
                    save_file(_weights(name, row, files), partial)
                told = {key: value for key, value in row.items() if key != "files"} | {"file": stored}
                manifest["recognisers"][name] = cast(JudgeRow, told)
                note(stored, name, files)
        _write(manifest, place)
    return made


def _weights(name: str, row: JudgeRow, files: list[Path]) -> dict[str, Tensor]:
    """The state dict of a recogniser's network, filled from its files."""
    network = ARCHITECTURES[row["kind"]](**row["arguments"])
    with about(files[-1].name):
        READERS[name](files, network)
    return {key: value.contiguous() for key, value in network.state_dict().items()}


def _write(manifest: JudgesManifest, place: Path) -> None:
    with finished(place / LISTING) as partial:  # a new file: the old name may be a link to the folder in use
        partial.write_text(tomli_w.dumps(manifest), encoding="utf-8")


def keep_thresholds(folder: Path, thresholds: Mapping[str, Mapping[str, float]], provenance: str) -> None:
    """Replace the thresholds of recognisers by others, measured on those whom `provenance` names. Raises OSError."""
    with drafted(folder, LISTING) as place:
        manifest = read_judges_manifest(place)
        for name, measured in thresholds.items():
            manifest["recognisers"][name]["thresholds"] = dict(measured)
            manifest["recognisers"][name]["thresholds_from"] = provenance
        _write(manifest, place)


def _row(part: Part, stored: Path, originals: list[Path]) -> FileRow:
    """What the manifest says of a file: what it was made of, under which licence."""
    return FileRow(
        sha256=sha256_of(stored),
        licence=part.licence.title,
        source=part.source,
        original=" and ".join(file.name for file in originals),
        original_sha256=" and ".join(sha256_of(file) for file in originals),
    )


def _onnx(files: list[Path], network: nn.Module) -> None:
    convolutions, linear = read_onnx(files[0])
    fill(network, convolutions)
    embedding = network.embedding if isinstance(network, ReleasedMobileNet) else None
    if (embedding is None) != (linear is None):
        raise CheckpointUnknown("it ends in another kind of layer")
    if embedding is not None and linear is not None:
        put(embedding.weight, linear.weight, "the last layer")
        put(embedding.bias, linear.bias, "the last layer's bias")


def _mobilefacenet(files: list[Path], network: nn.Module) -> None:
    fill(network, tfjs_file.mobilefacenet(tfjs_file.read_tfjs(*files)))


def _faceres(files: list[Path], network: nn.Module) -> None:
    fill(network, tfjs_file.faceres(tfjs_file.read_tfjs(*files)))


def _dlib(files: list[Path], network: nn.Module) -> None:
    if not isinstance(network, DlibResNet):
        raise TypeError("dlib's file fits dlib's network alone")
    dlib_file.read_dlib(files[0], network)


READERS: dict[str, Callable[[list[Path], nn.Module], None]] = {
    "sface": _onnx, "faceplugin": _onnx, "mobilefacenet": _mobilefacenet, "faceres": _faceres, "dlib": _dlib,
}  # fmt: skip
