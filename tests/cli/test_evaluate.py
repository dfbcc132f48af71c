"""`diffam evaluate` at the command line."""

import json
from pathlib import Path

from typer.testing import CliRunner

from cli.main import app

runner = CliRunner()


def test_a_small_evaluation_writes_its_cells_and_its_page(tmp_path: Path) -> None:
    out, file = tmp_path / "report", tmp_path / "cells.json"
    words = ["evaluate", "--faces", "4", "--seed", "3", "--method", "nothing", "--method", "tint"]
    answer = runner.invoke(app, [*words, "--json", str(file), "--out", str(out)])
    assert answer.exit_code == 0, answer.output
    cells = json.loads(file.read_text())
    assert (cells["faces"], cells["seed"], cells["bundle"]) == (4, 3, "mini")
    held_out = {row["held_out"] for row in cells["rows"]}
    assert held_out == {"ir152", "irse50", "facenet", "mobile_face", "vit"}
    assert {row["target"] for row in cells["rows"]} == {"aurora", "bruno", "celia"}
    assert (out / "index.html").is_file()


def test_an_unknown_method_or_dataset_is_named_with_those_there_are() -> None:
    for words, known in ((["--method", "magic"], "diffam"), (["--dataset", "nowhere"], "rendered")):
        answer = runner.invoke(app, ["evaluate", *words])
        assert answer.exit_code == 1
        assert known in answer.output
