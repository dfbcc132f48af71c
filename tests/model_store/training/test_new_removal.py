"""Make-up removal of a bundle, fine-tuned anew: whole or not at all, and the same after any interruption."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tomli_w
import torch
from safetensors.torch import save_file

from diffam_core.networks.unet import EpsModel
from diffam_core.removal import REMOVAL, REMOVAL_BASE, remove_makeup
from diffam_core.styles import has_style
from model_store.bundle import Bundle, open_bundle
from model_store.catalog import BUNDLES, damaged_files, read_manifest
from model_store.digest import sha256_of
from model_store.errors import DatasetMissing, RecipeInvalid
from model_store.manifest import FileRow, Manifest, UnetRow
from model_store.training.new_removal import renew_removal
from model_store.training.portraits import Training
from model_store.training.recipe import RemovalTable
from tests.diffam_core.test_transfer import Stopped
from tests.model_store.disk import files_of, full_disk
from tests.model_store.test_bundle_kinds import SIGMA_UNET
from tests.published_trees import on_side, write_mt

TABLE = RemovalTable(
    objective="direction", portraits=2, rank=4, return_timestep=60, invert_points=3, training_points=2,
    denoise_points=4, epochs=1, learning_rate=1e-3, batch=1, weights={"direction": 5.0, "identity": 1.0},
)  # fmt: skip
FEW = Training(photos=2, keep_every=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped bundle, without styles and references, which take their time to load."""
    place = Path(shutil.copytree(BUNDLES / "mini", tmp_path / "bundles/mini"))
    rewrite(place, {"styles": [], "references": []})
    return place


def rewrite(folder: Path, rows: Manifest) -> None:
    (folder / "bundle.toml").write_text(tomli_w.dumps(read_manifest(folder) | rows), encoding="utf-8")


def opened(folder: Path, added: str = "added") -> Bundle:
    return open_bundle(folder, added=folder.parent / added)


def test_the_new_removal_is_in_the_place_of_the_old_and_the_bundle_is_whole(folder: Path) -> None:
    seen: list[int] = []
    file = renew_removal(opened(folder), TABLE, FEW, lambda step, _steps, _terms: seen.append(step))
    assert seen == [1, 2]
    manifest = read_manifest(folder)
    assert manifest["removal"] == {
        "file": file.name, "rank": 4, "return_timestep": 60, "invert_points": 3, "denoise_points": 4,
    }  # fmt: skip
    row = manifest["files"][file.name]
    assert row["licence"] == "Apache-2.0"
    assert row["source"].endswith("on faces of rendered")
    assert damaged_files(folder) == []
    assert not (folder / "removal.safetensors").exists()
    assert {path.name for path in folder.glob("*removal*")} == {file.name}


def test_a_bundle_undresses_with_its_new_removal_and_walks_as_the_recipe_says(folder: Path) -> None:
    before = opened(folder)
    views = before.targets["aurora"].aim
    assert before.removal is not None
    with torch.no_grad():
        shipped = remove_makeup(before.models, views, before.removal)
    renew_removal(before, TABLE, FEW)
    after = opened(folder)
    assert after.removal is not None
    assert (after.removal.return_timestep, after.removal.invert_points, after.removal.denoise_points) == (60, 3, 4)
    with torch.no_grad():
        assert not torch.equal(remove_makeup(after.models, views, after.removal), shipped)


def test_all_weights_are_learned_on_the_network_that_is_removals_own(folder: Path) -> None:
    torch.manual_seed(1)
    save_file(EpsModel(1, SIGMA_UNET).state_dict(), folder / "removal_unet.safetensors")
    files = read_manifest(folder)["files"]
    digest = sha256_of(folder / "removal_unet.safetensors")
    files["removal_unet.safetensors"] = FileRow(sha256=digest, licence="research", source="its authors")
    row = UnetRow(file="removal_unet.safetensors", unshuffle=1, config=SIGMA_UNET)
    rewrite(folder, {"removal_unet": row, "files": files})
    table = TABLE.model_copy(update={"mode": "full", "learning_rate": 1e-5})
    file = renew_removal(opened(folder), table, FEW)
    manifest = read_manifest(folder)
    assert "rank" not in manifest["removal"]
    assert manifest["files"][file.name]["licence"] == "research"
    assert damaged_files(folder) == []
    eps = opened(folder).models.eps
    assert has_style(eps, REMOVAL_BASE)
    assert eps.full_styles[REMOVAL].config == SIGMA_UNET


def test_critics_are_asked_with_bare_people_beside(folder: Path) -> None:
    terms: list[set[str]] = []
    table = TABLE.model_copy(
        update={"objective": "critics", "bare_batch": 1, "weights": TABLE.weights | {"critics": 1.0, "keep_bare": 12.0}}
    )
    renew_removal(opened(folder), table, FEW, lambda _step, _steps, losses: terms.append(set(losses)))
    assert all({"critics", "keep_bare"} <= losses for losses in terms)


def test_a_recogniser_that_the_bundle_lacks_is_refused_and_a_dataset_without_its_folder(folder: Path) -> None:
    before, bundle = (folder / "bundle.toml").read_bytes(), opened(folder)
    with pytest.raises(RecipeInvalid, match=r"no recogniser 'iresnet' .* it has: ir152, irse50"):
        renew_removal(bundle, TABLE.model_copy(update={"identity": "iresnet"}), FEW)
    with pytest.raises(DatasetMissing, match="where is MT-dataset"):
        renew_removal(bundle, TABLE, Training(2, "mt"))
    assert (folder / "bundle.toml").read_bytes() == before


def test_a_full_disk_leaves_the_removal_that_was_there(folder: Path) -> None:
    before = files_of(folder)
    with full_disk(50_000), pytest.raises(OSError, match=r"large|space"):
        renew_removal(opened(folder), TABLE, FEW)
    assert files_of(folder) == before
    assert damaged_files(folder) == []


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from tests.model_store.training.test_new_removal import TABLE, FEW, opened
from model_store.training.new_removal import renew_removal
from model_store.training.portraits import Training
def die(step, steps, terms):
    os.kill(os.getpid(), signal.SIGKILL)
renew_removal(opened(Path(sys.argv[1])), TABLE, Training(3, "mt", Path(sys.argv[2]), keep_every=1), die)
"""


def test_a_removal_that_was_killed_and_then_stopped_ends_with_the_same_bits(folder: Path, tmp_path: Path) -> None:
    people = write_mt(tmp_path / "MT", [1], on_side("train", "makeup/xfsy_{:04d}", 3))
    training = Training(3, "mt", people, keep_every=1)
    before, threads = (folder / "bundle.toml").read_bytes(), torch.get_num_threads()
    torch.set_num_threads(1)  # sums depend on how they are shared out, in the last bits
    try:
        whole = renew_removal(opened(folder, "elsewhere"), TABLE, training)
        assert read_manifest(folder)["files"][whole.name]["source"].endswith("on faces of mt")
        whole.rename(tmp_path / "whole")
        shutil.copy(BUNDLES / "mini/removal.safetensors", folder)
        (folder / "bundle.toml").write_bytes(before)
        command = [sys.executable, "-c", KILLED, str(folder), str(people)]
        assert subprocess.run(command, timeout=300, check=False, env=os.environ).returncode == -9
        assert (folder / "bundle.toml").read_bytes() == before
        steps: list[int] = []

        def stop(step: int, _steps: int, _terms: dict[str, float]) -> None:
            steps.append(step)
            raise Stopped

        with pytest.raises(Stopped):
            renew_removal(opened(folder), TABLE, training, stop)
        again = renew_removal(opened(folder), TABLE, training, lambda step, _steps, _terms: steps.append(step))
        assert steps == [2, 3]
        assert again.name == whole.name
        assert again.read_bytes() == (tmp_path / "whole").read_bytes()
    finally:
        torch.set_num_threads(threads)
