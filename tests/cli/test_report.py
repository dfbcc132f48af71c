"""The score table says what the scores say, in eighty columns."""

from io import StringIO

from rich.console import Console

from cli.report import print_grade, print_scores, print_timings

FACE = {
    "box": [10, 20, 300, 310],
    "reference": "rosewood",
    "target": "virtual-1",
    "scores": {"psnr_db": 24.26, "ssim": 0.9123, "lpips": 0.0812},
    "recognisers": [
        {
            "name": name,
            "role": role,
            "own_match_before": 1.0,
            "own_match": 0.2345,
            "target_match_before": -0.0501,
            "target_match": 0.5678,
            "threshold_far_0.01": 0.31,
            "dodged": True,
            "impersonated": role == "surrogate",
        }
        for name, role in (("resnet", "surrogate"), ("transformer", "held_out"))
    ],
}


def printed(*calls: tuple[object, object]) -> str:
    text = StringIO()
    console = Console(file=text, width=80)
    for show, facts in calls:
        show(console, facts)  # type: ignore[operator]
    return text.getvalue()


def test_every_recogniser_has_a_line_with_both_matches_before_and_after() -> None:
    lines = printed((print_scores, [FACE])).splitlines()
    (held_out,) = (line for line in lines if "transformer" in line)
    assert " ".join(held_out.split()) == "transformer held-out 1.00 → 0.23 -0.05 → 0.57 0.31 yes no"
    assert any("PSNR 24.3 dB, SSIM 0.912, LPIPS 0.081" in line for line in lines)


def test_the_grade_of_the_models_is_always_said() -> None:
    assert "grade 'demonstration'" in printed((print_grade, {"name": "mini", "grade": "demonstration"}))


def test_timings_are_shown_with_their_stages() -> None:
    timings = {"queue_s": 0.04, "run_s": 2.5, "batch_size": 1, "stages_s": {"invert": 1.25}}
    text = printed((print_timings, timings))
    assert "waited 0.04, ran 2.50 in a batch of 1" in text
    assert "invert 1.25" in text
