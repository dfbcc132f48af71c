"""The stages of the portrait bundle's maker, each from what the ones before it left."""

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file

from diffam_core.styles import add_style, has_style
from model_store.portrait import diffusion, perception, styling
from model_store.portrait.build import WAVES, Maker
from model_store.portrait.learning import Course
from model_store.portrait.painting import LOOKS
from model_store.training.stages import stage_file
from tests.model_store.portrait.conftest import NAMES
from tests.shipped import DETECTOR, Shipped

pytestmark = pytest.mark.xdist_group("shipped")
MADE = (*(stage for wave in WAVES[:-1] for stage in wave), "makeup-evening")
"""One style stands for all."""


@pytest.fixture(scope="module")
def work(people: Path, shipped: Shipped, mesh_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder after all stages, the networks trained for a step or two."""
    folder = tmp_path_factory.mktemp("work")
    short = Course(1, 1e-3, 0), Course(2, 1e-3, 0), styling.Course(1)
    maker = Maker(people, shipped.file(DETECTOR), mesh_files, *short, walks=2)
    for stage in MADE:
        maker(stage, folder, lambda *_: None)
    return folder


def test_every_stage_leaves_its_file_and_no_checkpoint(work: Path) -> None:
    assert all(stage_file(work, stage).is_file() for stage in MADE)
    assert [path for path in work.rglob("*") if path.suffix == ".pt"] == []


def test_every_face_has_its_points_within_its_picture(work: Path) -> None:
    points = load_file(stage_file(work, "mesh"))["points"]
    assert points.shape == (len(NAMES), 468, 2)
    assert 0 < float(points.min()) < float(points.max()) < 352


def test_the_networks_load_and_what_was_measured_lies_beside_them(work: Path) -> None:
    diffusion.build_unet().load_state_dict(load_file(stage_file(work, "unet")))
    perception.build_parser().load_state_dict(load_file(stage_file(work, "parser")))
    unet, parser = (json.loads((work / f"{name}.json").read_text(encoding="utf-8")) for name in ("unet", "parser"))
    assert unet.keys() == parser.keys()
    assert unet["ai"]["people"] == parser["ai"]["people"] == 1
    assert {"eps_mse_at_60", "round_trip_psnr_db"} < unet["ai"].keys()
    assert {"lips_bare", "face_painted", "mouth_bare"} < parser["ai"].keys()


def test_a_style_fits_the_noise_predictor_and_weighs_no_two_megabytes(work: Path) -> None:
    eps = diffusion.build_unet()
    add_style(eps, "evening", styling.RANK, load_file(stage_file(work, "makeup-evening")))
    assert has_style(eps, "evening")
    assert stage_file(work, "makeup-evening").stat().st_size < 2e6
    assert {f"makeup-{look}" for look in LOOKS} == set(WAVES[-1])


def test_stages_that_nobody_knows_are_refused(people: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="polish"):
        Maker(people, tmp_path, tmp_path)("polish", tmp_path, lambda *_: None)


def test_the_noise_predictor_has_six_and_a_half_million_parameters() -> None:
    assert sum(each.numel() for each in diffusion.build_unet().parameters()) == pytest.approx(6.56e6, rel=0.01)
