"""Scores for people: what every recogniser made of the photo before and after."""

from collections.abc import Collection, Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from diffam_client.contract.job import Timings
from diffam_client.contract.report import FaceReport, Judgement, Match, ProtectedFace, Survival
from diffam_client.contract.wish import Treatment

GRADES = {
    "demonstration": "It shows the method. It does not protect real people against real systems.",
    "measured": "Measured on real people with SFace, dlib, MobileFaceNet, Faceplugin and faceres, which libraries "
    "ship. By another photo of them, one that was not attacked still knew 9 to 15 of 100 on average, and the "
    "keenest 34, everyday at full strength and effort (docs/results.md). Larger and commercial systems were not "
    "tried: expect them to see more.",
}


def print_scores(console: Console, faces: Sequence[FaceReport]) -> None:
    """What became of each face: the verdict, cosines before → after against the threshold at FAR 0.01, and survival."""
    for face in faces:
        title = _title(face, len(faces))
        if not isinstance(face, ProtectedFace):
            console.print(f"{title}: left alone, {face.code}. {face.reason or ''}", highlight=False)
            continue
        console.print(f"{title}: {face.reference} {_whither(face.target)}, strength {face.strength:g}")
        if face.recognisers:
            console.print(_match_table(face.recognisers))
        scores = face.scores
        console.print(
            f"Likeness of the face: PSNR {scores.psnr_db:.1f} dB, SSIM {scores.ssim:.3f}, LPIPS {scores.lpips:.3f}"
        )
        if face.judges:
            console.print(_judge_table(face.judges))
        if face.survival:
            console.print(_survival_table(face.survival))
        if (search := face.strength_search) and not search.passes:
            console.print(f"No strength passes the bar: held-out recognisers know the owner after {search.bar}.")
        console.print(f"[bold]{face.verdict.word.capitalize()}[/]: {face.verdict.sentence}")


def _whither(target: str | None) -> str:
    return "away from the owner" if target is None else f"towards {target}"


def _title(face: FaceReport, count: int) -> str:
    """Which face, counted as `--faces` counts, and what there is to say about it."""
    width, height = face.box[2:]
    notes = f" ({', '.join(face.notes)})" if face.notes else ""
    return f"Face {face.index} of {count}, {width}x{height} px{notes}"


def _match_table(matches: Sequence[Match]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=0)
    for name in ("recogniser", "role"):
        table.add_column(name, no_wrap=True)
    for name in ("own match", "target match", "threshold"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("dodged", "impersonated"):
        table.add_column(name, no_wrap=True)
    for match in matches:
        table.add_row(
            match.name,
            match.role.replace("_", "-"),
            f"{match.own_match_before:.2f} → {match.own_match:.2f}",
            f"{match.target_match_before:.2f} → {match.target_match:.2f}",
            f"{match.threshold:.2f}",
            verdict(match.dodged),
            verdict(match.impersonated),
        )
    return table


def _judge_table(judges: Sequence[Judgement]) -> Table:
    """What recognisers that people run make of the face."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=0)
    table.add_column("judge", no_wrap=True)
    table.add_column("role", no_wrap=True)
    table.add_column("stands for")
    for name in ("own match", "threshold"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("dodged", no_wrap=True)
    for judge in judges:
        table.add_row(
            judge.name,
            judge.role.replace("_", "-"),
            judge.stands_for,
            f"{judge.own_match:.2f}",
            f"{judge.threshold:.2f}",
            verdict(judge.dodged),
        )
    return table


def _survival_table(survival: Mapping[Treatment, Survival]) -> Table:
    """A line per treatment: how many recognisers no longer know the owner, and how many see the target.

    They are the bundle's own, or where it has none those of libraries.
    """
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for name in ("after", "hidden from held-out", "hidden from all", "taken for the target", "face found again"):
        table.add_column(name)
    for name, seen in survival.items():
        matches: Sequence[Match | Judgement] = seen.recognisers or seen.judges
        table.add_row(
            name,
            _count([match.dodged for match in matches if match.role == "held_out"]),
            _count([match.dodged for match in matches]),
            _count([match.impersonated for match in matches]),
            verdict(seen.found_again),
        )
    return table


def _count(answers: Collection[bool]) -> str:
    return f"{sum(answers)} of {len(answers)}"


def verdict(is_so: bool) -> str:
    """A word in a colour."""
    return "[green]yes[/]" if is_so else "[yellow]no[/]"


def print_timings(console: Console, timings: Timings) -> None:
    """How long a finished job waited and ran; the stages are those of its whole batch."""
    stages = ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in (timings.stages_s or {}).items())
    waited, ran = f"{timings.queue_s or 0:.2f}", f"{timings.run_s or 0:.2f}"
    console.print(
        f"Seconds: waited {waited}, ran {ran} in a batch of {timings.batch_size}" + (f" ({stages})" if stages else "")
    )


def print_grade(console: Console, bundle: Mapping[str, str]) -> None:
    """What the models are worth, said every time."""
    console.print(f"Models: bundle {bundle['name']!r}, grade '{bundle['grade']}'. {GRADES.get(bundle['grade'], '')}")
