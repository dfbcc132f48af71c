"""The finished bundle: all files, each with its digest, its licence and whence it is."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from model_store.catalog import damaged_files, read_catalog, read_manifest
from model_store.portrait import styling
from model_store.portrait.cast.references import REFERENCES
from model_store.portrait.cast.targets import TARGETS
from model_store.portrait.listing import LEAST, NETWORKS, write_bundle
from model_store.portrait.painted import removing
from model_store.training.stages import stage_file
from tests.model_store.portrait.conftest import Face, wide_of


@pytest.fixture
def work(face: Face, tmp_path: Path) -> Path:
    """All stages' files: one face under the names of all who are in the bundle, weights of nothing."""
    wide, points = wide_of(face)
    names = [worn.wearer for worn in REFERENCES.values()]
    names += [name for target in TARGETS.values() for name in target.pictures]
    quoted = ", ".join(f'"{name}"' for name in names)
    everybody = wide.expand(len(names), -1, -1, -1).contiguous()
    save_file({"wide": everybody}, stage_file(tmp_path, "portraits"), {"names": f"[{quoted}]"})
    save_file({"points": points.expand(len(names), -1, -1).contiguous()}, stage_file(tmp_path, "mesh"))
    for stage in (*NETWORKS, *styling.MAKEUPS):
        save_file({"weight": torch.zeros(2)}, stage_file(tmp_path, stage))
    return tmp_path


def test_a_bundle_offers_every_look_and_target_and_tells_whose_its_files_are(work: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write_bundle(work, folder)
    assert damaged_files(folder) == []
    catalog = read_catalog(folder, ("sface", "dlib", "faceres"))
    assert {card.id for card in catalog.references if card.makeup is not None} == REFERENCES.keys()
    assert {card.id for card in catalog.targets} == TARGETS.keys()
    manifest = read_manifest(folder)
    assert manifest["portrait"]["size_px"] == 128
    assert manifest["recognisers"] == {}
    assert (manifest["refinement"]["least"], manifest["removal"]["rank"]) == (LEAST, removing.RANK)
    assert {style.held_out for style in catalog.styles} == {"dlib"}
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert there - {"bundle.toml"} == manifest["files"].keys()
    licences = {(Path(name).suffix, row["licence"]) for name, row in manifest["files"].items()}
    assert licences == {(".png", "CC0-1.0"), (".safetensors", "Apache-2.0")}


def test_without_a_stages_file_nothing_is_written(work: Path, tmp_path: Path) -> None:
    stage_file(work, "makeup-plum").unlink()
    with pytest.raises(FileNotFoundError, match="makeup-plum"):
        write_bundle(work, tmp_path / "out")
    assert not (tmp_path / "out").exists()
