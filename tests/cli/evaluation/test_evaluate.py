"""`diffam evaluate` at the command line."""

import json
import tomllib
from io import StringIO
from pathlib import Path
from shutil import copytree
from xml.etree import ElementTree as ET

import pytest
import tomli_w
from rich.console import Console
from typer.testing import CliRunner

from cli.evaluation.tables import print_tables
from cli.main import app
from diffam_core.score import Share
from evaluation.cells import Cost
from evaluation.method import EQUALS, at_budgets
from evaluation.methods import METHODS
from evaluation.summary import Asked, Line
from model_store.catalog import BUNDLES
from tests.published_trees import on_side, write_mt

runner = CliRunner()
JUDGES = ("sface", "dlib", "mobilefacenet", "faceplugin", "faceres")
RECOGNISERS = ("ir152", "irse50", "facenet", "mobile_face", "vit")


def test_a_small_evaluation_writes_its_cells_and_its_page(tmp_path: Path) -> None:
    out, file = tmp_path / "report", tmp_path / "cells.json"
    words = ["evaluate", "--faces", "4", "--seed", "3", "--method", "nothing", "--method", "tint", "--identify"]
    answer = runner.invoke(app, [*words, "--treatment", "washed", "--json", str(file), "--out", str(out)])
    assert answer.exit_code == 0, answer.output
    cells = json.loads(file.read_text())
    assert (cells["faces"], cells["seed"], cells["bundle"]) == (4, 3, "mini")
    held_out = {row["held_out"] for row in cells["rows"]}
    assert held_out == {"ir152", "irse50", "facenet", "mobile_face", "vit"}
    assert {row["target"] for row in cells["rows"]} == {"aurora", "bruno", "celia"}
    assert {row["treatment"] for row in cells["rows"] if row["method"] == "nothing"} == {"clean", "washed"}
    searches = cells["identification"]
    assert {row["recogniser"] for row in searches} == set(RECOGNISERS)
    assert all(row["persons"] == row["searches"] == row["non_mated"] == 4 for row in searches)
    assert {(row["query"], row["gallery"]) for row in searches if row["method"] == "nothing"} == {("bare", "bare")}
    assert len({(row["query"], row["gallery"]) for row in searches if row["method"] == "tint"}) == 4
    assert all(row["rank_5"] is None and row["rank_1"] >= row["tpir_fpir_0.01"] for row in searches)  # of four people
    assert "Searches that find the owner" in answer.output
    assert "Does a search engine name the owner?" in (out / "index.html").read_text()
    assert ET.parse(out / "identification.svg").getroot().tag.endswith("svg")  # noqa: S314
    assert cells["own_match_against"] == "another photo"
    assert "another photo of the same person" in (out / "index.html").read_text()


@pytest.mark.parametrize(
    ("asked", "recognisers", "last"), [("target", RECOGNISERS, "known"), ("owner", JUDGES, "0.001")]
)
def test_the_tables_fit_80_columns_with_every_name_whole(asked: Asked, recognisers: tuple[str, ...], last: str) -> None:
    """At the widest values that shares can have."""
    whole = Share(1.0, (1.0, 1.0))
    cost = Cost(1.0, 1.0, 1.0, 1.0, 1.0, 1.0, fid=123.45, lip_distance=1.0, seconds=1.0, eps_255=None)
    methods, shares = at_budgets(METHODS, EQUALS), dict.fromkeys(recognisers, whole)
    table = [
        Line(name, method.title, method.kind, 4, asked, shares, whole, whole, 1.0, 1.0, 1.0, cost, {})
        for name, method in methods.items()
    ]
    console = Console(width=80, record=True, file=StringIO())
    print_tables(console, table, [], "another photo")
    lines = console.export_text().splitlines()
    assert max(len(line) for line in lines) <= 80
    for method in methods.values():
        assert len([line for line in lines if line.startswith(f"{method.title} ")]) == 2
    (heading,) = [line for line in lines if recognisers[0] in line]
    assert heading.split() == ["method", *recognisers, "mean", "95", "%", last]
    assert not any("…" in line for line in lines)


def test_a_dataset_in_its_published_layout_is_measured_on_its_test_side(tmp_path: Path) -> None:
    folder = write_mt(tmp_path / "MT-dataset", on_side("test", "non-makeup/xfsy_{:04d}", 4))
    out, file = tmp_path / "report", tmp_path / "cells.json"
    words = ["evaluate", "--dataset", "mt", "--dataset-dir", str(folder), "--reference", "rose", "--faces", "6"]
    words += ["--treatment", "clean"]
    answer = runner.invoke(app, [*words, "--method", "nothing", "--json", str(file), "--out", str(out)])
    assert answer.exit_code == 0, answer.output
    assert "'mt' has 4 people to measure with, not 6" in answer.output
    assert "measured against the original" in answer.output
    cells = json.loads(file.read_text())
    assert (cells["faces"], cells["dataset"], cells["own_match_against"]) == (4, "mt", "the original")
    assert all(row["own_match"] == 1 for row in cells["rows"] if row["treatment"] == "clean")
    assert "the unprotected original itself" in (out / "index.html").read_text()


def test_what_one_style_alone_cannot_be_measured_with_is_left_out_unless_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = tmp_path / "bundles"
    copytree(BUNDLES / "mini", shelf / "one", symlinks=True)
    manifest = tomllib.loads((shelf / "one/bundle.toml").read_text())
    manifest |= {"name": "one", "styles": [row for row in manifest["styles"] if row.get("target") == "bruno"][:1]}
    for row in manifest["references"]:
        del row["makeup"]
    (shelf / "one/bundle.toml").write_text(tomli_w.dumps(manifest))
    monkeypatch.setenv("DIFFAM_BUNDLES_DIR", str(shelf))
    monkeypatch.setattr(
        "cli.evaluation.evaluate.METHODS", {n: METHODS[n] for n in ("nothing", "makeup", "wrong_identity")}
    )
    words = ["evaluate", "--bundle", "one", "--faces", "4", "--treatment", "clean"]
    answer = runner.invoke(app, [*words, "--json", str(tmp_path / "cells.json")])
    assert answer.exit_code == 0, answer.output
    assert "Without the method 'wrong_identity': only one target is trained for" in answer.output
    assert "Without the method 'makeup': no style without a target is trained for" in answer.output
    assert {row["method"] for row in json.loads((tmp_path / "cells.json").read_text())["rows"]} == {"nothing"}
    assert runner.invoke(app, [*words, "--method", "wrong_identity"]).exit_code == 1


def test_a_dataset_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    answer = runner.invoke(app, ["evaluate", "--dataset", "ladn", "--faces", "4", "--dataset-dir", str(tmp_path)])
    assert answer.exit_code == 1
    assert "dataset_missing" in answer.output
    assert "no LADN: looked for" in answer.output


def test_an_unknown_method_dataset_or_treatment_is_named_with_those_there_are() -> None:
    for words, known in (
        (["--method", "magic"], "diffam"),
        (["--dataset", "nowhere"], "rendered"),
        (["--treatment", "sunlight"], "washed"),
    ):
        answer = runner.invoke(app, ["evaluate", *words])
        assert answer.exit_code == 1
        assert known in answer.output


def test_a_treatment_that_cannot_be_measured_here_is_refused_when_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFFAM_BUNDLES_DIR", str(tmp_path))  # no YuNet beside the cascades of `mini`
    answer = runner.invoke(app, ["evaluate", "--faces", "4", "--method", "nothing", "--treatment", "other_detector"])
    assert answer.exit_code == 1
    said = " ".join(answer.output.split())
    assert "no treatment 'other_detector' here: it needs a second face detector" in said
    assert "diffam models pull recognisers" in said
