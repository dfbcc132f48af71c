"""Cells become shares, lines and a lead, whatever was measured."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from diffam_core.score import Share, rate
from evaluation.cells import Cell, Cost, as_match, as_row
from evaluation.evaluate import Evaluation
from evaluation.judged.identification import Search
from evaluation.judged.judging import Known
from evaluation.method import Kind, Method
from evaluation.subjects import Subjects
from evaluation.summary import gain, gains, judges, known_lines, mean_rate, missed_faces, search_lines, summary
from model_store.catalog import StyleCard
from protection.measuring.identification import Hits, Identification, State

COST = Cost(
    psnr_db=33.0, least_psnr_db=31.0, ssim=0.9, face_psnr_db=29.0, face_ssim=0.8, lpips=0.2, fid=1.0, lip_distance=20.0,
    seconds=1.0, eps_255=None,
)  # fmt: skip
THRESHOLDS = {"0.1": 0.1, "0.01": 0.3, "0.001": 0.5}
ONE = StyleCard("rose", "ada", "first", ("second",), Path())
OTHER = StyleCard("rose", "bo", "second", ("first",), Path())


def cell(method: str, task: StyleCard, recogniser: str, to_target: list[float], **changed: Any) -> Cell:
    """People with these cosines with the target; who is taken for it is not known any more."""
    aims = np.array(to_target)
    return replace(Cell(method, task, "clean", recogniser, THRESHOLDS, 0.6 - aims, aims, COST), **changed)


def evaluation(*cells: Cell) -> Evaluation:
    nobody: Any = None  # a summary asks only for cells
    subjects: Subjects = nobody
    return Evaluation(list(cells), subjects, {})


def method(title: str, kind: Kind) -> Method:
    return Method(title, kind, (), lambda *_: [])


def test_rates_come_with_wilson_intervals() -> None:
    share, interval = rate(np.array([True] * 8 + [False] * 2))
    assert share == 0.8
    assert interval == pytest.approx([0.4902, 0.9433], abs=1e-4)


def test_who_is_taken_depends_on_the_rate_of_false_accepts_and_the_threshold_itself_counts() -> None:
    some = cell("diffam", ONE, "first", [0.2, 0.3, 0.4, 0.5])
    assert [some.taken(far).tolist() for far in ("0.1", "0.01", "0.001")] == [
        [True, True, True, True],
        [False, True, True, True],
        [False, False, False, True],
    ]


def test_a_written_cell_says_where_it_belongs_and_its_row_adds_rates_and_costs() -> None:
    some = cell("diffam", ONE, "first", [0.2, 0.4])
    match, row = as_match(some), as_row(some)
    place = {"method": "diffam", "reference": "rose", "target": "ada", "held_out": "first", "role": "held_out"}
    assert place.items() <= match.items()
    assert match.items() <= row.items()
    assert (row["n"], row["asr_far_0.1"], row["asr_far_0.01"], row["asr_far_0.001"]) == (2, 1.0, 0.5, 0.0)
    assert (row["own_match"], row["dodging_rate"], row["fid"], row["eps_255"]) == (0.5, 0.5, 1.0, None)
    low, high = rate(np.array([True, False])).ci95
    assert row["dodging_rate_ci95"] == pytest.approx((1 - high, 1 - low), abs=1e-4)


def test_an_interval_covers_its_mean_and_narrows_where_people_agree() -> None:
    agree = [cell("diffam", task, task.held_out, [0.4] * 20) for task in (ONE, OTHER)]
    assert mean_rate(agree) == (1.0, (1.0, 1.0))
    share, (low, high) = mean_rate([*agree[:1], cell("diffam", OTHER, "second", [0.4, 0.0] * 10)])
    assert low < share < high < 1
    assert share == 0.75


def test_an_interval_is_drawn_over_people_however_many_tasks_they_stand_in() -> None:
    people = [0.4] * 6 + [0.0] * 14
    once = mean_rate([cell("diffam", ONE, "first", people)])
    assert mean_rate([cell("diffam", task, "first", people) for task in (ONE, OTHER, ONE, OTHER)]) == once


def test_an_interval_holds_95_of_100_draws_of_people() -> None:
    _, interval = mean_rate([cell("diffam", ONE, "first", [0.4] * 6 + [0.0] * 14)])
    assert interval == pytest.approx(tuple(np.array(binom.interval(0.95, 20, 6 / 20)) / 20))


def test_judges_that_some_style_attacks_are_told_from_those_that_none_does() -> None:
    tasks = [cell("diffam", task, name, [0.4]) for task in (ONE, OTHER) for name in ("first", "second", "third")]
    assert judges(evaluation(*tasks)) == (["first", "second"], ["third"])
    assert judges(evaluation(*tasks[:3])) == (["first", "third"], [])


def test_a_line_counts_only_recognisers_that_the_style_never_met() -> None:
    cells = [cell("diffam", ONE, "first", [0.4, 0.0]), cell("diffam", ONE, "second", [0.9, 0.9])]
    cells += [cell("diffam", OTHER, "first", [0.9, 0.9]), cell("diffam", OTHER, "second", [0.4, 0.4])]
    (line,) = summary(evaluation(*cells), {"diffam": method("Ours", "make-up")})
    assert (line.shares["first"].value, line.shares["second"].value, line.mean.value) == (0.5, 1.0, 0.75)
    assert line.own_match == 0.25
    written = line.as_json()
    assert written["mean"] == line.mean
    assert (written["fid"], written["title"], "cost" in written) == (1.0, "Ours", False)


def test_treatments_are_listed_where_they_were_measured() -> None:
    cells = [cell("diffam", task, task.held_out, [0.4, 0.4]) for task in (ONE, OTHER)]
    cells += [cell("diffam", task, task.held_out, [0.0, 0.0], treatment="jpeg75") for task in (ONE, OTHER)]
    (line,) = summary(evaluation(*cells), {"diffam": method("Ours", "make-up")})
    assert {name: share.value for name, share in line.treatments.items()} == {"clean": 1.0, "jpeg75": 0.0}
    assert line.mean.value == 1.0


def test_the_lead_is_over_the_best_noise_and_there_is_none_without_both() -> None:
    names: dict[str, tuple[Kind, list[float]]] = {
        "diffam": ("make-up", [0.4] * 4), "weak": ("noise", [0.0] * 4), "best": ("noise", [0.4, 0.0, 0.0, 0.0]),
    }  # fmt: skip
    cells = [cell(name, task, task.held_out, aims) for name, (_, aims) in names.items() for task in (ONE, OTHER)]
    table = summary(evaluation(*cells), {name: method(name, kind) for name, (kind, _) in names.items()})
    lead = gain(table)
    assert lead is not None
    assert (lead.over, lead.points) == ("best", 75.0)
    assert gain(table[:1]) is None
    assert gain(table[1:]) is None


def search(method: str, recogniser: str, role: str, bare: float, made_up: float, rank_5: float | None = 1.0) -> Search:
    """Of bare photos, and of made-up ones among bare ones."""
    five = None if rank_5 is None else Share(rank_5, (0.0, 1.0))
    firsts: dict[State, float] = {"bare": bare, "protected": made_up}
    cases: dict[tuple[State, State], Hits] = {
        (query, "bare"): Hits(Share(value, (0.0, 1.0)), five, Share(0.5, (0.0, 1.0))) for query, value in firsts.items()
    }
    return Search(method, "rose", recogniser, role, Identification(8, 4, 4, False, 0.3, cases))


def test_searches_are_compared_over_the_same_recognisers_bare_ones_too() -> None:
    """What noise is free of, a style may have attacked: that recogniser says nothing fair of either."""
    found = evaluation()
    found.searches.extend(
        [search("diffam", "easy", "held_out", 1.0, 0.5), search("diffam", "hard", "surrogate", 0.2, 0.1)]
    )
    found.searches.extend([search("tint", "easy", "held_out", 1.0, 0.9), search("tint", "hard", "held_out", 0.2, 0.1)])
    lines = search_lines(found, {"diffam": method("Ours", "make-up"), "tint": method("Tint", "control")})
    assert {line.title: line.mean.rank_1.value for line in lines} == {"any photo": 1.0, "Ours": 0.5, "Tint": 0.9}
    assert all(list(line.hits) == ["easy"] for line in lines)


def test_a_rank_that_some_search_could_not_miss_has_no_mean() -> None:
    found = evaluation()
    found.searches.extend([search("tint", name, "held_out", 1.0, 0.5, None) for name in ("easy", "hard")])
    lines = search_lines(found, {"tint": method("Tint", "control")})
    assert [(line.mean.rank_1.value, line.mean.rank_5) for line in lines] == [(1.0, None), (0.5, None)]


def test_photos_in_which_judges_saw_no_face_are_counted_once_however_many_judges_there_are() -> None:
    found = evaluation()
    for name in ("nothing", "tint"):
        for judge in ("dlib", "sface"):
            found.known.append(Known(name, "rose", "clean", judge, 8, 0, 0, {}))
            found.known.append(Known(name, "rose", "other_detector", judge, 8, 3, 1, {}))
    assert missed_faces(found) == {"other_detector": (6, 16, 1)}


def test_where_a_task_has_no_target_a_line_tells_owners_known_and_fewer_of_them_are_a_lead() -> None:
    """Everybody's cosine with the other photo is .6 less what is written here."""
    cells = [
        replace(cell(name, task, judge, aims if task.held_out == judge else [0.5] * 4), target=None)
        for name, aims in {"diffam": [0.4, 0.4, 0.4, 0.0], "best": [0.4, 0.0, 0.2, 0.2]}.items()
        for task in (ONE, OTHER)
        for judge in ("first", "second")
    ]
    methods = {"diffam": method("Ours", "make-up"), "best": replace(method("Best", "noise"), equal="psnr")}
    ours, noise = summary(evaluation(*cells), methods)
    assert (ours.asked, ours.mean.value, noise.mean.value) == ("owner", 0.25, 0.75)
    assert (ours.strict.value, noise.strict.value, ours.own_match, ours.own_match_all) == (0.25, 0.25, 0.25, 0.125)
    written = ours.as_json()
    assert "asr" not in written
    assert written["own_match_by"] == {name: ours.shares[name] for name in ("first", "second")}
    (lead,) = gains([ours, noise])
    assert (lead.over, lead.points, lead.paper_points, lead.equal) == ("Best", 50.0, None, "psnr")
    row = as_row(cells[0])
    assert (row["own_match"], row["own_match_far_0.001"], "asr_far_0.01" in row) == (0.25, 0.25, False)


def test_judges_that_a_method_attacked_say_nothing_of_it() -> None:
    found, whole = evaluation(), dict.fromkeys(("0.1", "0.01", "0.001"), Share(1.0, (0.5, 1.0)))
    for judge, role in (("dlib", "surrogate"), ("sface", "held_out")):
        found.known.append(Known("diffam", "rose", "clean", judge, 8, 0, 0, whole, role))  # type: ignore[arg-type]
    (line,) = known_lines(found, {"diffam": method("Ours", "make-up")})
    assert (list(line.shares), line.mean.value, line.strict.value) == (["sface"], 1.0, 1.0)
