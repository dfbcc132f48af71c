"""An evaluation tells what works from what does not, in the table that it promises."""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from diffam_core.images import decode_photo, encode_photo
from evaluation.evaluate import Evaluation, evaluate, mean_rate
from evaluation.judge import rate
from evaluation.methods import METHODS
from evaluation.report import gain, judges, summary, write_json, write_report
from evaluation.subjects import Subjects
from evaluation.treatments import TREATMENTS
from jobs.wish import Wish
from model_store.bundle import Bundle
from protection.pipeline import protect_photos
from protection.plan import Request

CHOSEN = {name: METHODS[name] for name in ("nothing", "diffam", "mi_fgsm")}
COLUMNS = (
    "method held_out target treatment n asr_far_0.1 asr_far_0.01 asr_far_0.001 own_match psnr_db ssim lpips fid seconds"
)


@pytest.fixture(scope="module")
def evaluation(bundle: Bundle, subjects: Subjects) -> Evaluation:
    small = replace(bundle, catalog=replace(bundle.catalog, styles=bundle.catalog.styles[:1]))
    return evaluate(small, subjects, CHOSEN, lambda _name, _done, _total: None)


def test_every_cell_has_a_row_with_every_column(evaluation: Evaluation) -> None:
    assert len(evaluation.rows) == len(CHOSEN) * len(TREATMENTS) * 2
    assert len(evaluation.matches) == len(CHOSEN) * len(TREATMENTS) * 5
    for row in evaluation.rows:
        assert set(COLUMNS.split()) <= set(row)
        for column in ("asr_far_0.1", "asr_far_0.01", "asr_far_0.001", "own_match"):
            low, high = row[f"{column}_ci95"]
            assert 0 <= low <= row[column] <= high <= 1
        assert row["asr_far_0.1"] >= row["asr_far_0.01"] >= row["asr_far_0.001"]
        assert row["dodging_rate"] == pytest.approx(1 - row["own_match"])


def test_unprotected_photos_match_their_owner_and_cost_nothing(evaluation: Evaluation) -> None:
    rows = [row for row in evaluation.rows if (row["method"], row["treatment"]) == ("nothing", "clean")]
    assert all(row["own_match"] == 1 and row["ssim"] == 1 and row["lpips"] == 0 for row in rows)
    assert all(row["fid"] == pytest.approx(0, abs=1e-3) for row in rows)


def test_a_style_changes_what_held_out_recognisers_see_and_wears_the_reference_s_lips(
    evaluation: Evaluation,
) -> None:
    table = {line["method"]: line for line in summary(evaluation, CHOSEN)}
    assert table["diffam"]["mean"][0] > table["nothing"]["mean"][0] + 0.3
    assert table["diffam"]["own_match"] < 0.6
    assert table["diffam"]["lip_distance"] < 0.65 * table["nothing"]["lip_distance"]


def test_the_noise_budget_is_matched_to_the_same_ssim(evaluation: Evaluation) -> None:
    table = {line["method"]: line for line in summary(evaluation, CHOSEN)}
    assert table["mi_fgsm"]["ssim"] == pytest.approx(table["diffam"]["ssim"], abs=0.01)
    assert table["mi_fgsm"]["eps_255"] > 0
    lead = gain(list(table.values()))
    assert lead is not None
    assert lead["points"] == pytest.approx(100 * (table["diffam"]["mean"][0] - table["mi_fgsm"]["mean"][0]), abs=0.01)


def test_a_style_is_measured_as_the_service_applies_it(bundle: Bundle, subjects: Subjects) -> None:
    style = bundle.catalog.styles[0]
    upload = encode_photo(subjects.photos[0], "png")
    (served,) = protect_photos(
        bundle, [Request(upload, Wish(reference_id=style.reference, target_id=style.target))], lambda *_: None
    )
    measured = METHODS["diffam"].protect(bundle, subjects.first(1), style, 0.0)[0]
    assert not isinstance(served, Exception)
    assert np.abs(decode_photo(served.candidates[0].photo).astype(int) - measured).max() <= 1


def test_rates_come_with_wilson_intervals() -> None:
    share, interval = rate(np.array([True] * 8 + [False] * 2))
    assert share == 0.8
    assert interval == pytest.approx([0.4902, 0.9433], abs=1e-4)


def test_the_interval_of_a_mean_covers_it(evaluation: Evaluation) -> None:
    share, (low, high) = mean_rate(evaluation, "diffam", "clean", judges(evaluation)[0])
    assert low <= share <= high


def test_finished_files_stay_in_memory_only_where_somebody_asked_for_them(evaluation: Evaluation) -> None:
    assert all(outcome.files == [] for outcome in evaluation.outcomes.values())


def test_the_report_is_complete_and_shows_the_faces(evaluation: Evaluation, tmp_path: Path) -> None:
    facts = {
        "bundle": "mini", "grade": "demonstration", "dataset": "rendered", "faces": 4, "seed": 5, "not_found": 0,
        "fid_features": "CLIP", "commit": "abc1234", "machine": "here", "measured_at": "2026-01-01",
    }  # fmt: skip
    page = write_report(tmp_path, evaluation, CHOSEN, facts).read_text()
    for words in ("DiffAM (ours)", "MI-FGSM", "abc1234", "seed 5", "demonstration"):
        assert words in page
    for name in ("held_out", "treatments", "quality"):
        assert ET.parse(tmp_path / f"{name}.svg").getroot().tag.endswith("svg")  # noqa: S314
    with Image.open(tmp_path / "sheet.jpg") as sheet:
        assert sheet.width == 192 * 3
    write_json(tmp_path / "all.json", evaluation, CHOSEN, facts)
    saved = json.loads((tmp_path / "all.json").read_text())
    assert len(saved["rows"]) == len(evaluation.rows)
    assert saved["gain"]["paper_points"] == 12.98
