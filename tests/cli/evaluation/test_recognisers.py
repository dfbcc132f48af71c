"""`diffam evaluate recognisers` at the command line, and people as a data set."""

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from cli.evaluation.recognisers import print_accuracies
from cli.main import app
from diffam_core.score import Share
from evaluation.judged.recognisers import Accuracy, Group, Point, Seen
from model_store.judges import FOLDER, read_judges
from model_store.recognisers import Judges

runner = CliRunner()
pytestmark = pytest.mark.xdist_group("shipped")


def call(*words: str) -> tuple[int, str]:
    answer = runner.invoke(app, ["evaluate", *words])
    assert "Traceback" not in answer.output
    return answer.exit_code, " ".join(answer.output.split())


def test_without_recognisers_it_says_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFAM_BUNDLES_DIR", str(tmp_path))
    code, said = call("recognisers", "--people", str(tmp_path))
    assert code == 1
    assert "diffam models pull recognisers" in said


def test_people_who_are_not_there_are_said_to_be_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFAM_PEOPLE_DIR", str(tmp_path))
    for words in (["recognisers", "--people", "nobody"], ["--people", "nobody"]):
        code, said = call(*words)
        assert code == 1
        assert "no people: looked for nobody and" in said


def test_ten_people_are_measured_by_the_judges_that_were_asked_for_and_their_thresholds_kept(
    assets: Path, judges: Judges, judges_shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(judges_shelf / FOLDER, tmp_path / FOLDER)
    monkeypatch.setenv("DIFFAM_BUNDLES_DIR", str(tmp_path))
    monkeypatch.setenv("DIFFAM_PEOPLE_DIR", str(assets / "people"))
    name = next(iter(judges.recognisers))
    file = tmp_path / "figures.json"
    words = ["--people", "lfw", "--faces", "10", "--judges", name, "--json", str(file), "--keep"]
    code, said = call("recognisers", *words)
    assert code == 0, said
    assert "10 people, 20 faces" in said
    figures = json.loads(file.read_text())["recognisers"]
    assert list(figures) == [name]
    assert figures[name]["genuine"] == 10
    kept = read_judges(tmp_path / FOLDER)[name]
    assert kept.threshold == round(figures[name]["points"]["0.01"][0][0], 4)
    assert "10 people of lfw" in kept.thresholds_from


def test_of_each_group_it_tells_how_many_strangers_pass_and_how_sure_that_is() -> None:
    share = Share(1.0, (0.9, 1.0))
    groups = {"dark": Group(9, 9, share, 144, 0.25, (0.1, 0.5)), "other": Group(1, 1, share, 0, None, None)}
    point = Point(Share(0.5, (0.4, 0.6)), share)
    accuracy = Accuracy(10, 180, share, {"0.01": point}, (share, share), {"tone": groups})
    with (console := Console(width=200)).capture() as said:
        print_accuracies(console, Seen([], np.zeros(0, np.int64), {}, []), {"net": accuracy})
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in said.get().splitlines() if "│" in line]
    assert ["dark", "9", "144", "0.250 (0.100 to 0.500)"] in rows
    assert ["other", "1", "0", "-"] in rows


def test_judges_say_how_many_owners_they_still_know_and_whom_a_search_names(
    assets: Path, judges: Judges, judges_shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFFAM_BUNDLES_DIR", str(judges_shelf))
    strangers = tmp_path / "strangers"
    strangers.mkdir()
    for photo in sorted((assets / "people/london").glob("00[1-5]_*.jpg")):
        (strangers / photo.name).symlink_to(photo)
    out = tmp_path / "report"
    words = ["--people", str(assets / "people/lfw"), "--faces", "4", "--reference", "rose", "--method", "nothing"]
    words += ["--treatment", "half", "--treatment", "other_detector", "--identify", "--strangers", str(strangers)]
    code, said = call(*words, "--json", str(tmp_path / "cells.json"), "--out", str(out))
    assert code == 0, said
    assert "by recognisers that people run" in said
    assert "Gallery: 7 people; 4 searches" in said
    figures = json.loads((tmp_path / "cells.json").read_text())
    told = figures["judges"]
    assert {row["judge"] for row in told} == set(judges.recognisers)
    assert {row["treatment"] for row in told} == {"clean", "half", "other_detector"}
    assert all(row["own_match_far_0.1"] >= row["own_match_far_0.01"] >= row["own_match_far_0.001"] for row in told)
    assert all(0 <= row["missed"] <= row["n"] >= row["missed_in_gallery"] >= 0 for row in told)
    assert sum(row["own_match_far_0.01"] for row in told) > 0.8 * len(told)  # nothing hides nobody
    assert {row["treatment"] for row in figures["rows"]} == {"clean", "half", "other_detector"}
    searches = figures["identification"]
    assert {row["recogniser"] for row in searches} == set(judges.recognisers)
    assert all((row["persons"], row["searches"], row["non_mated"]) == (7, 4, 3) for row in searches)
    assert all(row["rank_1"] == 1 for row in searches)
    page = (out / "index.html").read_text()
    assert "Do recognisers that people run know the owner?" in page
    assert "strangers from\n“strangers” among them" in page
    for name in ("judges", "identification"):
        assert ET.parse(out / f"{name}.svg").getroot().tag.endswith("svg")  # noqa: S314


def test_strangers_are_others_and_wait_in_a_gallery(tmp_path: Path) -> None:
    for words, why in (([], "--identify"), (["--identify"], "strangers must be others")):
        code, said = call("--people", str(tmp_path), "--strangers", str(tmp_path), *words)
        assert code == 1
        assert why in said


def test_strangers_who_are_measured_under_another_name_are_refused_by_theirs(tmp_path: Path) -> None:
    for name in ("measured/ann/1.jpg", "measured/ben/1.jpg", "crowd/cat_1.jpg", "crowd/dan_1.jpg", "crowd/dan_2.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "crowd/dan_2.jpg").write_bytes((tmp_path / "measured/ben/1.jpg").read_bytes())
    code, said = call("--people", str(tmp_path / "measured"), "--strangers", str(tmp_path / "crowd"), "--identify")
    assert code == 1
    assert "strangers must be others, but measured has photos of dan, too" in said
