"""Stages of a maker: each is made once, and what it raises is raised here."""

from pathlib import Path

import pytest

from model_store.training.stages import OnStep, run_stages, stage_file


def make(stage: str, work: Path, on_step: OnStep) -> None:
    if stage == "broken":
        raise ValueError("no such thing can be made")
    on_step(1, 1, 0.5)
    stage_file(work, stage).write_text("made", encoding="utf-8")


def test_a_stage_that_left_its_file_is_not_made_again(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    stage_file(work, "first").write_text("kept", encoding="utf-8")
    told: list[tuple[str, int, int, float]] = []
    run_stages(["first", "second"], work, make, lambda *step: told.append(step))
    assert told == [("second", 1, 1, 0.5)]
    assert [stage_file(work, stage).read_text(encoding="utf-8") for stage in ("first", "second")] == ["kept", "made"]


def test_what_a_stage_raises_ends_the_build(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such thing"):
        run_stages(["broken"], tmp_path, make, lambda *_: None)
