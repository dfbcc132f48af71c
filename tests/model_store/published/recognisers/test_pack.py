"""What was fetched becomes a folder of recognisers as a whole, or nothing changes."""

import shutil
from pathlib import Path

import pytest

from model_store.errors import BundleDamaged, CheckpointDamaged, ImportFailed, JudgeMissing
from model_store.judges import FOLDER, LISTING, choose_judges, read_judges
from model_store.published.recognisers.pack import import_recognisers
from model_store.recognisers import open_judges
from tests.model_store.published.recognisers.written import mobilefacenet_weights, random_network, write_tfjs
from tests.shipped import DETECTOR, Shipped

pytestmark = pytest.mark.xdist_group("shipped")


@pytest.fixture
def downloads(shipped: Shipped, tmp_path: Path) -> Path:
    """The real detector, and MobileFaceNet's files with weights of our own."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    shutil.copy(shipped.file(DETECTOR), folder)
    write_tfjs(folder, "mobilefacenet", mobilefacenet_weights(random_network("mobilefacenet")))
    return folder


def test_what_is_there_is_imported_and_what_is_not_is_left_out(downloads: Path, tmp_path: Path) -> None:
    folder = tmp_path / FOLDER
    made = import_recognisers(downloads, folder)
    assert made == {"yunet.onnx": DETECTOR, "mobilefacenet.safetensors": "mobilefacenet.json and mobilefacenet.bin"}
    assert list(read_judges(folder)) == ["mobilefacenet"]
    judges = open_judges(folder)
    assert judges is not None
    assert judges.recognisers["mobilefacenet"].crop == "arcface"
    with pytest.raises(JudgeMissing, match=r"'dlib': there are mobilefacenet"):
        choose_judges(folder, ["dlib"])


def test_a_second_import_keeps_what_it_was_not_given(downloads: Path, tmp_path: Path) -> None:
    folder = tmp_path / FOLDER
    import_recognisers(downloads, folder)
    write_tfjs(downloads, "mobilefacenet", mobilefacenet_weights(random_network("mobilefacenet", seed=5)))
    (downloads / DETECTOR).unlink()
    before = (folder / "mobilefacenet.safetensors").read_bytes()
    assert list(import_recognisers(downloads, folder)) == ["mobilefacenet.safetensors"]
    assert (folder / "mobilefacenet.safetensors").read_bytes() != before
    assert open_judges(folder) is not None


def test_a_damaged_file_is_named_and_changes_nothing(downloads: Path, tmp_path: Path) -> None:
    folder = tmp_path / FOLDER
    import_recognisers(downloads, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (downloads / "mobilefacenet.bin").write_bytes(b"short")
    with pytest.raises(CheckpointDamaged, match=r"^mobilefacenet\.bin: "):
        import_recognisers(downloads, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_without_a_detector_nobody_can_judge(downloads: Path, tmp_path: Path) -> None:
    (downloads / DETECTOR).unlink()
    with pytest.raises(ImportFailed, match="eyes, nose and mouth"):
        import_recognisers(downloads, tmp_path / FOLDER)
    assert not (tmp_path / FOLDER).exists()


def test_a_recogniser_whose_file_was_changed_is_not_opened(downloads: Path, tmp_path: Path) -> None:
    folder = tmp_path / FOLDER
    import_recognisers(downloads, folder)
    stored = folder / "mobilefacenet.safetensors"
    stored.write_bytes(stored.read_bytes()[:-4] + b"\x00\x00\x80\x3f")
    with pytest.raises(BundleDamaged, match=r"mobilefacenet\.safetensors"):
        open_judges(folder)
    (folder / LISTING).write_text("[recognisers")
    with pytest.raises(BundleDamaged, match=LISTING):
        open_judges(folder)


def test_where_nothing_was_pulled_nobody_judges(tmp_path: Path) -> None:
    assert open_judges(tmp_path / FOLDER) is None
    with pytest.raises(JudgeMissing, match="none was pulled; `diffam models pull recognisers`"):
        open_judges(tmp_path / FOLDER, ["dlib"])
