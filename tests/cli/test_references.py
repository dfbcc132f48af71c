"""References at the command line: listed, added, fine-tuned for a few steps, refused in one line."""

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from cli.main import app
from cli.stack.stack import exclusive
from diffam_client.contract.job import BundleName, JobInput
from jobs.ledger import Ledger
from jobs.new_job import NewJob
from model_store.catalog import BUNDLES
from tests.published_trees import on_side, write_mt
from worker.serve import sweep_removed

EMBER = BUNDLES / "mini/references/ember"
runner = CliRunner()


@pytest.fixture(autouse=True)
def looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DIFFAM_LOOKS_DIR", str(tmp_path / "looks"))
    monkeypatch.setenv("DIFFAM_TORCH_THREADS", "1")
    return tmp_path / "looks"


def call(*words: str) -> str:
    answer = runner.invoke(app, ["references", *words])
    assert "Traceback" not in answer.output
    return f"{answer.exit_code} {answer.output}"


def test_the_looks_are_listed_with_their_styles() -> None:
    said = call("list")
    assert said.startswith("0")
    assert all(word in said for word in ("rose", "ember", "lagoon", "aurora", "celia"))


def test_a_look_is_added_and_trained_and_shown(looks: Path, tmp_path: Path) -> None:
    said = call("add", str(EMBER / "look.png"), "--name", "dusk", "--bare", str(EMBER / "bare.png"), "--title", "Dusk")
    assert said.startswith("0"), said
    steps = ("--steps", "3", "--makeup-steps", "2", "--photos", "4", "--out", str(tmp_path / "sheets"))
    said = call("fine-tune", "dusk", "--target", "celia", "--held-out", "facenet", *steps)
    assert said.startswith("0"), said
    assert (looks / "mini/styles/dusk-celia.toml").is_file()
    with Image.open(tmp_path / "sheets/dusk-celia.jpg") as sheet:
        assert sheet.width == 3 * 192
    assert "dusk" in call("list")
    assert call("remove", "dusk") == "0 Removed 'dusk'.\n"
    assert "dusk" not in call("list")
    assert not list(looks.glob("mini/styles/dusk*"))


def test_a_look_is_removed_under_a_running_stack_by_its_worker(looks: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("DIFFAM_DATA_DIR", str(tmp_path))
    look = looks / "mini/references/dusk"
    look.mkdir(parents=True)
    (look / "reference.toml").write_text('title = "Dusk"')
    with exclusive(tmp_path):
        assert "goes once" in call("remove", "dusk")
        assert "dusk" not in call("list")
    assert look.is_dir()


def test_a_look_in_use_is_removed_by_the_workers_of_its_redis(
    looks: Path, redis_url: str, ledger: Ledger, monkeypatch: Any
) -> None:
    monkeypatch.setenv("DIFFAM_REDIS_URL", redis_url)
    monkeypatch.setenv("DIFFAM_LOOKS_DIR", str(looks))
    for name in ("dusk", "dawn"):
        look = looks / "mini/references" / name
        look.mkdir(parents=True)
        (look / "reference.toml").write_text(f'title = "{name}"')
    wish = JobInput(reference_id="dusk", target_id="bruno", width=64, height=64, bytes=5)
    job_id = ledger.accept(NewJob(wish, BundleName(name="mini", grade="demonstration")), b"photo").job_id
    assert "goes once" in call("remove", "dusk")
    assert "Removed" in call("remove", "dawn")
    sweep_removed(looks / "mini", ledger)
    assert look.parent.joinpath("dusk").is_dir()
    ledger.cancel(job_id)
    sweep_removed(looks / "mini", ledger)
    assert not list(look.parent.iterdir())


RECIPE = """
title = "A few steps"
[transfer]
reference = "rose"
target = "bruno"
held_out = "vit"
mode = "lora"
objective = "impersonate"
portraits = 4
return_timestep = 60
invert_points = 4
denoise_points = 2
[transfer.makeup]
epochs = 1
learning_rate = 1e-3
batch = 4
weights = { histogram = 1.0, direction = 0.3 }
[transfer.attack]
epochs = 2
learning_rate = 1e-3
growth_per_epoch = 1.3
batch = 2
views = 0
weights = { impersonate = 0.5, perceptual = 10.0 }
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    file = tmp_path / "mine.toml"
    file.write_text(RECIPE)
    return file


def test_a_recipe_trains_and_options_go_before_what_it_says(looks: Path, tmp_path: Path, recipe: Path) -> None:
    add = ("add", str(EMBER / "look.png"), "--name", "dusk", "--bare", str(EMBER / "bare.png"))
    assert call(*add).startswith("0")
    people = write_mt(tmp_path / "MT", on_side("train", "non-makeup/xfsy_{:04d}", 4))
    words = ("--recipe", str(recipe), "--held-out", "facenet", "--dataset", "mt", "--dataset-dir", str(people))
    said = call("fine-tune", "dusk", *words, "--out", str(tmp_path / "sheets"))
    assert said.startswith("0"), said
    row = tomllib.loads((looks / "mini/styles/dusk-bruno.toml").read_text())
    assert (row["reference"], row["held_out"], row["objective"], row["mode"]) == (
        "dusk", "facenet", "impersonate", "lora",
    )  # fmt: skip
    assert row["surrogates"] == ["ir152", "irse50", "mobile_face"]
    assert row["steps"] == 1 + 2 * 2


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("epochs = 2", "epcohs = 2", "recipe_invalid"),
        ("[transfer]", '[removal]\nobjective = "critics"', "recipe_invalid"),
        ('"vit"', '"nobody"', "unknown_recogniser"),
        ('"vit"', '"ir152"', "style_exists"),
    ],
)
def test_a_recipe_that_cannot_be_is_one_line(recipe: Path, old: str, new: str, code: str) -> None:
    recipe.write_text(RECIPE.replace(old, new))
    said = call("fine-tune", "--recipe", str(recipe))
    assert said.startswith("1"), said
    assert code in said


def test_a_recipe_that_does_not_fit_the_bundle_or_lacks_its_dataset_trains_nothing(looks: Path, recipe: Path) -> None:
    assert call("add", str(EMBER / "look.png"), "--name", "dusk", "--bare", str(EMBER / "bare.png")).startswith("0")
    fitting = RECIPE.replace('"vit"', '"facenet"')
    for old, new, code in (("= 60", "= 40", "recipe_invalid"), ("mode", 'dataset = "mt"\nmode', "dataset_missing")):
        recipe.write_text(fitting.replace(old, new))
        said = call("fine-tune", "dusk", "--recipe", str(recipe))
        assert said.startswith("1"), said
        assert code in said
    assert not list(looks.rglob("styles/*.toml"))


@pytest.mark.parametrize("word", ["fine-tune", "train"])
def test_a_training_without_a_target_asks_for_one_under_its_old_name_too(word: str) -> None:
    said = call(word, "rose", "--held-out", "ir152")
    assert said.startswith("1")
    assert "--target" in said


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (
            ("add", str(EMBER / "bare.png"), "--name", "dusk", "--bare", str(EMBER / "bare.png")),
            "reference_without_makeup",
        ),
        (("add", str(EMBER / "look.png"), "--name", "rose"), "reference_exists"),
        (("fine-tune", "rose", "--target", "nobody", "--held-out", "ir152"), "unknown_target"),
        (("fine-tune", "rose", "--target", "aurora", "--held-out", "ir152"), "style_exists"),
        (("fine-tune", "nowhere", "--target", "aurora", "--held-out", "ir152"), "unknown_reference"),
    ],
)
def test_what_cannot_be_is_one_line_and_status_1(words: tuple[str, ...], code: str, looks: Path) -> None:
    said = call(*words)
    assert said.startswith("1")
    assert code in said
    assert not list(looks.rglob("*.toml"))


LOADS_TORCH = """
import sys
from typer.testing import CliRunner
from cli.main import app
answer = CliRunner().invoke(app, ["references", *sys.argv[1:]])
assert "unknown_target" in answer.output, answer.output
sys.exit(3 if "torch" in sys.modules else 0)
"""


def test_a_style_for_nobody_is_refused_before_torch_loads() -> None:
    words = ("fine-tune", "rose", "--target", "nobody", "--held-out", "ir152")
    answer = subprocess.run([sys.executable, "-c", LOADS_TORCH, *words], timeout=120, check=False, capture_output=True)
    assert answer.returncode == 0, answer.stderr
