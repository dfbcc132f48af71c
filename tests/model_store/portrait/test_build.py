"""The stages of the portrait bundle's maker, each from what the ones before it left."""

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file

from diffam_core.networks.clip import Clip
from diffam_core.networks.perceptual import build_perceptual
from diffam_core.styles import add_style, has_style
from model_store.portrait import diffusion, perception, styling
from model_store.portrait.build import WAVES, Maker, PaintedCourses
from model_store.portrait.learning import Course
from model_store.portrait.painted import removing, trunk, words
from model_store.portrait.painting import LOOKS
from model_store.portrait.walking import StylePace
from model_store.training.stages import stage_file
from tests.model_store.portrait.conftest import NAMES
from tests.shipped import DETECTOR, Shipped

PAINTED = PaintedCourses(Course(1, 1e-3, 0), Course(1, 1e-3, 0), StylePace(1), pairs=2)
pytestmark = pytest.mark.xdist_group("shipped")
MAKEUPS = {f"makeup-{look}" for look in LOOKS}
MADE = [stage for wave in WAVES for stage in wave if stage not in MAKEUPS or stage == "makeup-evening"]
"""One style stands for all."""


@pytest.fixture(scope="module")
def work(people: Path, shipped: Shipped, mesh_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder after all stages, the networks trained for a step or two."""
    folder = tmp_path_factory.mktemp("work")
    courses = Course(1, 1e-3, 0), Course(2, 1e-3, 0), StylePace(1)
    maker = Maker(people, shipped.file(DETECTOR), mesh_files, *courses, walks=2, painted=PAINTED)
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
    assert set(WAVES[-1]) > MAKEUPS


def test_what_learned_from_painted_people_fits_the_manifest_and_was_measured(work: Path) -> None:
    row = words.clip_row()
    clip = Clip(row["config"], row["vocabulary"], tuple(row["mean"]), tuple(row["std"]))
    clip.load_state_dict(load_file(stage_file(work, "clip")))
    kind = trunk.perceptual_row()
    build_perceptual(kind["trunk"], kind["calibrated"]).load_state_dict(load_file(stage_file(work, "perceptual")))
    style = {key: value.float() for key, value in load_file(stage_file(work, "removal")).items()}
    add_style(diffusion.build_unet(), "removal", removing.removal_row()["rank"], style)
    figures = [json.loads((work / f"{n}.json").read_text(encoding="utf-8")) for n in ("clip", "perceptual", "removal")]
    assert [each["ai"]["people"] for each in figures] == [1, 1, 1]


def test_stages_that_nobody_knows_are_refused(people: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="polish"):
        Maker(people, tmp_path, tmp_path)("polish", tmp_path, lambda *_: None)


def test_the_noise_predictor_has_six_and_a_half_million_parameters() -> None:
    assert sum(each.numel() for each in diffusion.build_unet().parameters()) == pytest.approx(6.56e6, rel=0.01)
