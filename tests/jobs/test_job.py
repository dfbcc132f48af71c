"""The job record's arithmetic."""

import pytest

from jobs.job import STAGES, Progress


def test_progress_never_falls_from_one_stage_to_the_next() -> None:
    fractions = [Progress.at(stage, step, 6).fraction for stage in STAGES for step in range(7)]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)


@pytest.mark.parametrize(("step", "steps"), [(0, 0), (9, 6), (-1, 6)])
def test_odd_steps_stay_within_their_stage(step: int, steps: int) -> None:
    begin, end = STAGES["invert"]
    assert begin <= Progress.at("invert", step, steps).fraction <= end
