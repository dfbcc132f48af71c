"""An evaluation tells what works from what does not, in the table that it promises."""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from PIL import Image

from evaluation.cells import as_row
from evaluation.evaluate import Evaluation, evaluate
from evaluation.methods import METHODS
from evaluation.report import Facts, write_json, write_report
from evaluation.running.room import Scope
from evaluation.subjects import Subjects
from evaluation.summary import gain, summary
from model_store.bundle import Bundle

CHOSEN = {name: METHODS[name] for name in ("nothing", "diffam", "mi_fgsm")}
TREATED = ("clean", "jpeg75")
COLUMNS = (
    "method held_out target treatment n asr_far_0.1 asr_far_0.01 asr_far_0.001 own_match psnr_db ssim lpips fid seconds"
)


@pytest.fixture(scope="module")
def evaluation(bundle: Bundle, subjects: Subjects) -> Evaluation:
    small = replace(bundle, catalog=replace(bundle.catalog, styles=bundle.catalog.styles[:1]))
    return evaluate(small, subjects, CHOSEN, lambda _name, _done, _total: None, Scope(TREATED))


def test_every_cell_is_there_and_written_with_every_column(evaluation: Evaluation) -> None:
    assert len(evaluation.held_out) == len(CHOSEN) * len(TREATED) * 2
    assert len(evaluation.cells) == len(CHOSEN) * len(TREATED) * 5
    for row in json.loads(json.dumps([as_row(cell) for cell in evaluation.held_out])):
        assert set(COLUMNS.split()) <= set(row)
        for column in ("asr_far_0.1", "asr_far_0.01", "asr_far_0.001", "own_match"):
            low, high = row[f"{column}_ci95"]
            assert 0 <= low <= row[column] <= high <= 1
        assert row["asr_far_0.1"] >= row["asr_far_0.01"] >= row["asr_far_0.001"]
        assert row["dodging_rate"] == pytest.approx(1 - row["own_match"])


def test_unprotected_photos_match_their_owner_and_cost_nothing(evaluation: Evaluation) -> None:
    cells = [cell for cell in evaluation.held_out if (cell.method, cell.treatment) == ("nothing", "clean")]
    assert all(cell.known.value == 1 and cell.cost.ssim == 1 and cell.cost.lpips == 0 for cell in cells)
    assert all(cell.cost.fid == pytest.approx(0, abs=1e-3) for cell in cells)


def test_a_style_changes_what_held_out_recognisers_see_and_wears_the_reference_s_lips(evaluation: Evaluation) -> None:
    table = {line.method: line for line in summary(evaluation, CHOSEN)}
    assert table["diffam"].mean.value > table["nothing"].mean.value + 0.3
    assert table["diffam"].own_match < 0.6
    assert table["diffam"].cost.lip_distance < 0.65 * table["nothing"].cost.lip_distance


def test_the_noise_budget_is_matched_to_the_same_ssim(evaluation: Evaluation) -> None:
    table = {line.method: line for line in summary(evaluation, CHOSEN)}
    noise = table["mi_fgsm"]
    assert noise.cost.ssim == pytest.approx(table["diffam"].cost.ssim, abs=0.01)
    assert noise.cost.eps_255 is not None
    assert noise.cost.eps_255 > 0
    lead = gain(list(table.values()))
    assert lead is not None
    assert lead.points == pytest.approx(100 * (table["diffam"].mean.value - noise.mean.value), abs=0.01)


def test_finished_files_stay_in_memory_only_where_somebody_asked_for_them(evaluation: Evaluation) -> None:
    assert all(outcome.files == [] for outcome in evaluation.outcomes.values())


def test_the_report_is_complete_and_shows_the_faces(evaluation: Evaluation, tmp_path: Path) -> None:
    facts = Facts("mini", "demonstration", "rendered", 4, 5, 0, "CLIP", "opencv-haar", "abc1234", "here", "2026-01-01")
    page = write_report(tmp_path, evaluation, CHOSEN, facts).read_text()
    for words in ("DiffAM (ours)", "MI-FGSM", "abc1234", "seed 5", "demonstration"):
        assert words in page
    for name in ("held_out", "treatments", "quality"):
        assert ET.parse(tmp_path / f"{name}.svg").getroot().tag.endswith("svg")  # noqa: S314
    with Image.open(tmp_path / "sheet.jpg") as sheet:
        assert sheet.width == 192 * 3
    write_json(tmp_path / "all.json", evaluation, CHOSEN, facts)
    saved = json.loads((tmp_path / "all.json").read_text())
    assert len(saved["rows"]) == len(evaluation.held_out)
    assert saved["gain"]["paper_points"] == 12.98
