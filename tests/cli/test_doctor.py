"""The doctor says in plain words what is there, what is damaged and what this machine can run."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from typer.testing import CliRunner

from cli.doctor import needed_bytes
from cli.main import app
from model_store.catalog import BUNDLES
from model_store.digest import sha256_of
from model_store.judges import FOLDER, LISTING
from model_store.published.recognisers.pack import known_recognisers

runner = CliRunner(env={"COLUMNS": "200"})


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DIFFAM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("DIFFAM_REDIS_URL", raising=False)
    return tmp_path / "data"


def doctor(*words: str) -> tuple[int, str]:
    answer = runner.invoke(app, ["doctor", *words])
    assert "Traceback" not in answer.output
    return answer.exit_code, answer.output


def test_a_fresh_installation_runs_the_shipped_bundle(data: Path) -> None:
    code, said = doctor()
    assert code == 0
    for words in (
        "Yes.",
        "3 looks, 3 targets, 9 styles",
        "embedded Valkey",
        "diffam models pull celebahq-256",
        "`diffam models pull recognisers` fetches",
    ):
        assert words in said
    assert not data.exists()


def test_a_bundle_that_is_not_there_cannot_run() -> None:
    code, said = doctor("nobody")
    assert code == 1
    assert "To be repaired first: bundle nobody." in said


def test_a_damaged_file_keeps_only_its_own_bundle_from_running(data: Path) -> None:
    copy = Path(shutil.copytree(BUNDLES / "mini", data / "bundles" / "other"))
    (copy / "clip.safetensors").unlink()
    code, said = doctor("other")
    assert (code, "clip.safetensors is missing" in said) == (1, True)
    code, said = doctor("mini")
    assert (code, "clip.safetensors is missing" in said) == (0, True)


def pulled(folder: Path, *names: str) -> Path:
    """A folder of recognisers: a listing, and files of a few bytes with their digests."""
    folder.mkdir(parents=True)
    known = known_recognisers()
    listing: dict[str, Any] = {"detector": "yunet.onnx", "recognisers": {}, "files": {}}
    for name in names:
        listing["recognisers"][name] = dict(known[name]) | {"file": f"{name}.safetensors"}
    for file in ("yunet.onnx", *(f"{name}.safetensors" for name in names)):
        (folder / file).write_bytes(file.encode())
        listing["files"][file] = {"sha256": sha256_of(folder / file), "licence": "MIT", "source": "here"}
    (folder / LISTING).write_text(tomli_w.dumps(listing))
    return folder


def test_recognisers_of_libraries_are_whole_or_not_here(data: Path) -> None:
    pulled(data / "bundles" / FOLDER, "sface", "dlib")
    code, said = doctor()
    assert code == 0
    assert "dlib's ResNet, whole: the recogniser of the `face_recognition` library" in said
    assert "not here: MobileFaceNet, Faceplugin, FaceRes; `diffam models pull recognisers`" in said


@pytest.mark.parametrize(
    ("file", "says"), [("dlib.safetensors", "is not the file that was imported"), ("yunet.onnx", "is missing")]
)
def test_a_damaged_recogniser_is_to_be_repaired_first_if_it_is_to_judge_and_a_damaged_detector_always(
    data: Path, monkeypatch: pytest.MonkeyPatch, file: str, says: str
) -> None:
    folder = pulled(data / "bundles" / FOLDER, "sface", "dlib")
    if says == "is missing":
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(b"other")
    code, said = doctor()
    assert (code, f"{file} {says}; `diffam models pull recognisers` mends it" in said) == (1, True)
    monkeypatch.setenv("DIFFAM_JUDGES", '["sface"]')
    assert doctor()[0] == (1 if file == "yunet.onnx" else 0)
    monkeypatch.setenv("DIFFAM_JUDGES", "[]")
    assert doctor()[0] == (1 if file == "yunet.onnx" else 0)


def test_a_recogniser_that_is_to_judge_and_was_not_pulled_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFAM_JUDGES", '["dlib"]')
    code, said = doctor()
    assert (code, "no recogniser 'dlib': none was pulled" in said) == (1, True)


def test_a_device_that_torch_does_not_see_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFAM_DEVICE", "cuda:77")
    code, said = doctor()
    assert (code, "torch sees no 'cuda:77'" in said) == (1, True)


def test_a_silent_redis_keeps_nobody_from_protecting_photos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFAM_REDIS_URL", "unix:///nowhere.sock")
    code, said = doctor()
    assert (code, "DIFFAM_REDIS_URL is silent" in said) == (0, True)


def test_what_was_left_unfinished_is_shown(data: Path) -> None:
    (data / "bundles" / ".celebahq-256.draft-x").mkdir(parents=True)
    (data / "downloads" / "celebahq-256").mkdir(parents=True)
    (data / "downloads" / "celebahq-256" / "unet.ckpt.partial").write_bytes(bytes(2 * 2**20))
    _, said = doctor()
    assert ".celebahq-256.draft-x" in said
    assert "unet.ckpt: 2 MiB" in said


def test_memory_is_reckoned_from_the_weights() -> None:
    sizes = sum(path.stat().st_size for path in (BUNDLES / "mini").rglob("*.safetensors"))  # stored as halves
    assert 2.9 * sizes < needed_bytes(BUNDLES / "mini") - 2**30 < 3.1 * sizes
