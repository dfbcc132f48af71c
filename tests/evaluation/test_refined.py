"""A bundle that refines is measured by recognisers that people run: each is held out in turn, others are attacked."""

import json
from collections.abc import Iterator
from functools import partial
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from diffam_core.images import decode_photo
from diffam_core.refining.refinement import Refinement
from evaluation.evaluate import Evaluation, evaluate
from evaluation.judged.tasks import Selection, tasks_of
from evaluation.method import EQUALS, at_budgets
from evaluation.methods import METHODS
from evaluation.report import Facts, write_json, write_report
from evaluation.running.room import Scope
from evaluation.subjects import Pair, Subjects, gather_subjects
from evaluation.summary import known_lines, summary
from model_store.bundle import Bundle
from model_store.choice import Choice
from model_store.judges import FOLDER
from model_store.opening import open_chosen
from model_store.recognisers import Judges
from tests.thin_portrait import write_thin_portrait

pytestmark = pytest.mark.xdist_group("shipped")
JUDGES = ("dlib", "mobilefacenet", "faceplugin")
HELD_OUT = ["dlib", "faceplugin"]
EPS = 2 * 8 / 255
CHOSEN = at_budgets({n: METHODS[n] for n in ("nothing", "makeup", "diffam", "refinement", "pgd")}, EQUALS)


@pytest.fixture(scope="module")
def refining(judges: Judges, judges_shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = write_thin_portrait(tmp_path_factory.mktemp("evaluated") / "thin_portrait")
    there = tuple(name for name in JUDGES if name in judges.recognisers)
    if there != JUDGES:
        pytest.skip(f"of three small recognisers there are {', '.join(there) or 'none'} here")
    return open_chosen(Choice(folder, judges_shelf / FOLDER, JUDGES))


@pytest.fixture(scope="module")
def sitters(refining: Bundle) -> Subjects:
    """Grace Hopper, public domain, as matplotlib ships her, and her reflection; the other photo is darker."""
    photo = decode_photo(files("matplotlib").joinpath("mpl-data/sample_data/grace_hopper.jpg").read_bytes())

    def pairs(_seed: int, _folder: Path | None = None) -> Iterator[Pair]:
        for name, each in (("as she is", photo), ("reflected", np.ascontiguousarray(photo[:, ::-1]))):
            yield Pair(each, (each * 0.8).astype(np.uint8), name)

    return gather_subjects(refining.models, pairs, 2, 0, lambda *_: None)


@pytest.fixture(scope="module", autouse=True)
def few_steps() -> Iterator[None]:
    """As many as show that something happens."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("protection.refining.Refinement", partial(Refinement, steps=3))
        patch.setattr("evaluation.methods.pgd.STEPS", 3)
        yield


def measured(bundle: Bundle, sitters: Subjects, names: tuple[str, ...], **chosen: list[str]) -> Evaluation:
    tasks = tasks_of(bundle.catalog, Selection(held_out=HELD_OUT, **chosen), JUDGES)
    methods = {name: CHOSEN[name] if name in CHOSEN else METHODS[name] for name in names}
    return evaluate(bundle, sitters, methods, lambda *_: None, Scope(["jpeg75"], EPS, tasks=tasks))


@pytest.fixture(scope="module")
def fleeing(refining: Bundle, sitters: Subjects) -> Evaluation:
    return measured(refining, sitters, tuple(CHOSEN))


def test_each_that_is_held_out_is_judged_by_what_its_task_never_saw(fleeing: Evaluation) -> None:
    held_out = [cell for cell in fleeing.held_out if cell.treatment == "clean"]
    assert {(cell.task.held_out, cell.recogniser) for cell in held_out} == {(name, name) for name in HELD_OUT}
    assert {cell.method for cell in held_out} == set(CHOSEN)
    bare = [cell for cell in fleeing.cells if cell.method == "nothing"]
    assert len(bare) == 2 * len({cell.recogniser for cell in bare}) * len({cell.treatment for cell in bare})
    assert all(cell.target is None and cell.known.value == 1 for cell in bare if cell.treatment == "clean")


def test_make_up_is_put_on_once_and_what_attacks_is_run_for_each_that_is_held_out(fleeing: Evaluation) -> None:
    runs = [name for name, _ in fleeing.outcomes]
    assert (runs.count("makeup"), runs.count("nothing")) == (1, 1)
    assert {runs.count(name) for name in ("diffam", "refinement", "pgd", "pgd_psnr")} == {2}
    one, other = (fleeing.outcomes["refinement", name].shown for name in HELD_OUT)
    assert not np.array_equal(one[0], other[0])


def test_noise_and_refinement_flee_from_the_owner_before_those_they_attack(fleeing: Evaluation) -> None:
    attacked = [cell for cell in fleeing.cells if (cell.role, cell.treatment) == ("surrogate", "clean")]
    own = {name: np.mean([cell.own.mean() for cell in attacked if cell.method == name]) for name in CHOSEN}
    assert own["pgd"] < own["nothing"] - 0.05
    assert own["refinement"] < own["nothing"] - 0.002
    assert all(outcome.eps == EPS for (name, _), outcome in fleeing.outcomes.items() if name.startswith("pgd"))
    assert fleeing.outcomes["pgd", "dlib"].cost.psnr_db > 20 * np.log10(2 / EPS)


def test_lines_and_files_tell_owners_known_with_no_word_of_a_target(fleeing: Evaluation, tmp_path: Path) -> None:
    table = summary(fleeing, CHOSEN)
    assert {line.asked for line in table} == {"owner"}
    assert all(set(line.shares) == set(HELD_OUT) for line in table)
    assert all(set(line.shares) == set(HELD_OUT) for line in known_lines(fleeing, CHOSEN) if line.method == "diffam")
    facts = Facts("thin", "measured", "people", 2, 0, 0, "CLIP", "yunet", "abc1234", "here", "2026-01-01")
    write_json(tmp_path / "all.json", fleeing, CHOSEN, facts)
    saved = json.loads((tmp_path / "all.json").read_text())
    assert all(row["target"] is None and "asr_far_0.01" not in row for row in saved["rows"])
    assert {gain["equal"] for gain in saved["gains"]} == set(EQUALS)
    assert "Owner known, % at FAR 0.01" in write_report(tmp_path, fleeing, CHOSEN, facts).read_text()


def test_towards_a_target_it_is_asked_who_is_taken_for_it_and_another_target_is_the_control(
    refining: Bundle, sitters: Subjects
) -> None:
    aimed = measured(refining, sitters, ("diffam", "wrong_identity"), targets=["aurora"])
    assert {cell.task.target for cell in aimed.cells} == {"aurora"}
    ours, wrong = (aimed.outcomes[name, "rose/aurora/dlib"].shown[0] for name in ("diffam", "wrong_identity"))
    assert not np.array_equal(ours, wrong)
