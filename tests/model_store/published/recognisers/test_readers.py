"""Foreign files are read into our networks weight by weight; what is none of them is named with what gave it away."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from diffam_core.networks.released import DlibResNet
from model_store.errors import CheckpointDamaged, CheckpointUnknown, ImportFailed
from model_store.published.recognisers.onnx_file import dequantized, read_onnx
from model_store.published.recognisers.pack import READERS, known_recognisers
from model_store.published.recognisers.tfjs_file import read_tfjs
from tests.model_store.published.recognisers.written import (
    faceres_weights,
    mobilefacenet_weights,
    random_network,
    write_dlib,
    write_onnx,
    write_tfjs,
)

NAMES = tuple(known_recognisers())


def written(name: str, network: nn.Module, folder: Path) -> list[Path]:
    """The files of a recogniser, as its library ships them, in the order in which they are read."""
    if name == "dlib":
        assert isinstance(network, DlibResNet)
        write_dlib(folder / "dlib.dat", network)
        return [folder / "dlib.dat"]
    if name in ("sface", "faceplugin"):
        write_onnx(folder / "net.onnx", network)
        return [folder / "net.onnx"]
    weights = mobilefacenet_weights(network) if name == "mobilefacenet" else faceres_weights(network)
    return list(write_tfjs(folder, name, weights))


@pytest.mark.parametrize("name", NAMES)
def test_a_library_s_file_becomes_the_network_that_it_was_written_from(name: str, tmp_path: Path) -> None:
    original, read = random_network(name), random_network(name, seed=1)
    READERS[name](written(name, original, tmp_path), read)
    size = known_recognisers()[name]["input_px"]
    faces = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        expected, found = original(faces), read(faces)
    assert expected.std() > 0
    assert (expected - found).abs().max() <= 1e-4 * expected.abs().max()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("keep", [0, 0.5, 0.99])
def test_a_file_that_was_cut_off_is_refused(name: str, keep: float, tmp_path: Path) -> None:
    files = written(name, random_network(name), tmp_path)
    data = files[-1].read_bytes()
    files[-1].write_bytes(data[: int(keep * len(data))])
    with pytest.raises(ImportFailed):
        READERS[name](files, random_network(name, seed=1))


@pytest.mark.parametrize("name", NAMES)
def test_noise_under_the_name_is_refused(name: str, tmp_path: Path) -> None:
    files = written(name, random_network(name), tmp_path)
    files[-1].write_bytes(np.random.default_rng(0).bytes(200_000))
    with pytest.raises(ImportFailed):
        READERS[name](files, random_network(name, seed=1))


def test_another_network_is_named_with_what_gave_it_away(tmp_path: Path) -> None:
    files = written("sface", random_network("sface"), tmp_path)
    with pytest.raises(CheckpointUnknown, match=r"27 convolutions, 50 were expected"):
        READERS["faceplugin"](files, random_network("faceplugin"))


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    network = random_network("mobilefacenet")
    weights = mobilefacenet_weights(network)
    next(iter(weights.values()))[0, 0, 0, 0] = np.nan
    with pytest.raises(CheckpointUnknown, match="convolution 0 holds values that are no numbers"):
        READERS["mobilefacenet"](list(write_tfjs(tmp_path, "m", weights)), network)


def test_an_operation_that_no_recogniser_here_has_is_named(tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    write_onnx(file, random_network("faceplugin"))
    model = onnx.load(str(file))
    model.graph.node.append(onnx.helper.make_node("Softmax", ["x"], ["y"], name="odd"))
    onnx.save(model, str(file))
    with pytest.raises(CheckpointUnknown, match="Softmax 'odd'"):
        read_onnx(file)


@pytest.mark.parametrize(("stored", "within"), [("float32", 0), ("float16", 1e-3), ("uint8", 4e-3)])
def test_a_tensorflow_file_may_store_its_weights_in_several_ways(stored: str, within: float, tmp_path: Path) -> None:
    numbers = np.linspace(-1, 1, 60, dtype=np.float32).reshape(3, 4, 5)
    found = read_tfjs(*write_tfjs(tmp_path, "w", {"a": numbers, "b": numbers[0]}, stored))
    assert np.abs(found["a"] - numbers).max() <= within
    assert np.abs(found["b"] - numbers[0]).max() <= within


@pytest.mark.parametrize(
    ("scale", "zero", "axis", "block", "expected"),
    [
        (np.float32(0.5), None, 1, 0, [[1, 2, 3, 4], [5, 6, 7, 8]]),
        (np.array([1, 10], np.float32), None, 0, 0, [[2, 4, 6, 8], [100, 120, 140, 160]]),
        (np.array([[1, 10], [2, 3]], np.float32), None, 1, 2, [[2, 4, 60, 80], [20, 24, 42, 48]]),
        (np.array([[1], [2]], np.float32), np.array([[1], [2]], np.int8), 1, 4, [[1, 3, 5, 7], [16, 20, 24, 28]]),
    ],
    ids=["one for all", "one per row", "one per block", "blocks with a zero point"],
)
def test_scales_of_whole_numbers_are_applied_where_they_belong(
    scale: np.ndarray, zero: np.ndarray | None, axis: int, block: int, expected: list[list[float]]
) -> None:
    values = np.array([[2, 4, 6, 8], [10, 12, 14, 16]], np.int8)
    assert dequantized(values, scale, zero, axis=axis, block_size=block).tolist() == expected


def test_a_listing_that_is_none_is_refused(tmp_path: Path) -> None:
    listing, values = write_tfjs(tmp_path, "w", {"a": np.zeros(3, np.float32)})
    for text in ("[]", "{}", "no json", '{"weightsManifest": [{"weights": [{"name": "a"}]}]}'):
        listing.write_text(text)
        with pytest.raises(CheckpointDamaged, match=r"w\.json"):
            read_tfjs(listing, values)


@pytest.mark.parametrize("read", [READERS["sface"], READERS["dlib"]])
def test_a_file_of_gigabytes_is_not_read_at_all(read: Callable[[list[Path], nn.Module], None], tmp_path: Path) -> None:
    file = tmp_path / "large"
    with file.open("wb") as sparse:
        sparse.truncate(2**32)
    network = random_network("dlib" if read is READERS["dlib"] else "sface")
    with pytest.raises(CheckpointDamaged, match="bytes"):
        read([file], network)
