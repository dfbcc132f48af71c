"""The score table says what the scores say, in eighty columns."""

from io import StringIO

from rich.console import Console

from cli.scores import print_grade, print_scores, print_timings
from diffam_client.contract.job import Timings
from diffam_client.contract.report import Scores, StrengthSearch, Survival, Verdict
from tests.finished import match, protected_face, seen_face

MATCHES = [match(), match(name="transformer", role="held_out", dodged=False, impersonated=False)]
FACE = protected_face(
    box=(10, 20, 300, 310),
    notes=["face_cut_off"],
    reference="rosewood",
    target="virtual-1",
    strength=0.6,
    scores=Scores(psnr_db=24.26, ssim=0.9123, lpips=0.0812),
    recognisers=MATCHES,
    survival={"jpeg75": Survival(found_again=True, recognisers=MATCHES)},
    verdict=Verdict(word="weak", sentence="transformer still recognises the owner in this photo."),
)
ALONE = seen_face(
    index=1,
    box=(400, 20, 30, 31),
    status="left_alone",
    code="face_too_small",
    reason="Its eyes are too near to each other.",
)


def printed(*calls: tuple[object, object]) -> str:
    text = StringIO()
    console = Console(file=text, width=80)
    for show, facts in calls:
        show(console, facts)  # type: ignore[operator]
    return text.getvalue()


def test_every_recogniser_has_a_line_with_both_matches_before_and_after() -> None:
    lines = printed((print_scores, [FACE])).splitlines()
    (held_out,) = (line for line in lines if "transformer held-out" in " ".join(line.split()))
    assert " ".join(held_out.split()) == "transformer held-out 1.00 → 0.23 -0.05 → 0.57 0.31 no no"
    assert any("PSNR 24.3 dB, SSIM 0.912, LPIPS 0.081" in line for line in lines)


def test_every_face_has_its_number_its_strength_and_its_verdict_or_why_it_was_left_alone() -> None:
    text = " ".join(printed((print_scores, [FACE, ALONE])).split())
    assert "Face 0 of 2, 300x310 px (face_cut_off): rosewood towards virtual-1, strength 0.6" in text
    assert "Weak: transformer still recognises the owner in this photo." in text
    assert "Face 1 of 2, 30x31 px: left alone, face_too_small. Its eyes are too near to each other." in text


def test_an_automatic_strength_that_does_not_pass_says_so() -> None:
    for passes in (False, True):
        search = StrengthSearch(bar="jpeg75", passes=passes, tried=[])
        text = printed((print_scores, [FACE.model_copy(update={"strength_search": search})]))
        assert ("No strength passes the bar" in text) != passes


def test_survival_is_a_line_per_treatment() -> None:
    lines = [" ".join(line.split()) for line in printed((print_scores, [FACE])).splitlines()]
    assert "jpeg75 0 of 1 1 of 2 1 of 2 yes" in lines


def test_a_face_whose_survival_nobody_asked_for_has_no_such_table() -> None:
    assert "hidden from" not in printed((print_scores, [FACE.model_copy(update={"survival": {}})]))


def test_the_grade_of_the_models_is_always_said() -> None:
    assert "grade 'demonstration'" in printed((print_grade, {"name": "mini", "grade": "demonstration"}))


def test_a_measured_bundle_says_by_whom_and_who_was_not_asked() -> None:
    said = " ".join(printed((print_grade, {"name": "portrait", "grade": "measured"})).split())
    assert "SFace, dlib, MobileFaceNet, Faceplugin and faceres" in said
    assert "Larger and commercial systems were not tried" in said


def test_timings_are_shown_with_their_stages() -> None:
    timings = Timings(queue_s=0.04, run_s=2.5, batch_size=1, stages_s={"invert": 1.25})
    text = printed((print_timings, timings))
    assert "waited 0.04, ran 2.50 in a batch of 1" in text
    assert "invert 1.25" in text
