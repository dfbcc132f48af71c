"""Scores for people: what every recogniser made of the photo before and after."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

GRADES = {
    "demonstration": "It shows the method. It does not protect real people against real systems.",
}


def print_scores(console: Console, faces: Sequence[Mapping[str, Any]]) -> None:
    """What became of each face: the verdict, cosines before → after against the threshold at FAR 0.01, and survival."""
    for face in faces:
        title = _title(face, len(faces))
        if "recognisers" not in face:
            console.print(f"{title}: left alone, {face['code']}. {face['reason'] or ''}", highlight=False)
            continue
        console.print(f"{title}: {face['reference']} towards {face['target']}, strength {face['strength']:g}")
        console.print(_match_table(face["recognisers"]))
        scores = face["scores"]
        console.print(
            f"Likeness of the photo: PSNR {scores['psnr_db']:.1f} dB, "
            f"SSIM {scores['ssim']:.3f}, LPIPS {scores['lpips']:.3f}"
        )
        if face["survival"]:
            console.print(_survival_table(face["survival"]))
        if (search := face["strength_search"]) and not search["passes"]:
            console.print(f"No strength passes the bar: held-out recognisers know the owner after {search['bar']}.")
        console.print(f"[bold]{face['verdict']['word'].capitalize()}[/]: {face['verdict']['sentence']}")


def _title(face: Mapping[str, Any], count: int) -> str:
    """Which face, counted as `--faces` counts, and what there is to say about it."""
    width, height = face["box"][2:]
    notes = f" ({', '.join(face['notes'])})" if face["notes"] else ""
    return f"Face {face['index']} of {count}, {width}x{height} px{notes}"


def _match_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=0)
    for name in ("recogniser", "role"):
        table.add_column(name, no_wrap=True)
    for name in ("own match", "target match", "threshold"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("dodged", "impersonated"):
        table.add_column(name, no_wrap=True)
    for row in rows:
        table.add_row(
            row["name"],
            row["role"].replace("_", "-"),
            f"{row['own_match_before']:.2f} → {row['own_match']:.2f}",
            f"{row['target_match_before']:.2f} → {row['target_match']:.2f}",
            f"{row['threshold_far_0.01']:.2f}",
            *(verdict(row[name]) for name in ("dodged", "impersonated")),
        )
    return table


def _survival_table(survival: Mapping[str, Mapping[str, Any]]) -> Table:
    """A line per treatment: how many recognisers no longer know the owner, and how many see the target."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for name in ("after", "hidden from held-out", "hidden from all", "taken for the target", "face found again"):
        table.add_column(name)
    for name, seen in survival.items():
        rows = seen["recognisers"]
        held_out = [row for row in rows if row["role"] == "held_out"]
        table.add_row(
            name,
            _count(held_out, "dodged"),
            _count(rows, "dodged"),
            _count(rows, "impersonated"),
            verdict(seen["found_again"]),
        )
    return table


def _count(rows: Sequence[Mapping[str, Any]], name: str) -> str:
    return f"{sum(row[name] for row in rows)} of {len(rows)}"


def verdict(is_so: bool) -> str:
    """A word in a colour."""
    return "[green]yes[/]" if is_so else "[yellow]no[/]"


def print_timings(console: Console, timings: Mapping[str, Any]) -> None:
    """How long the job waited and ran; the stages are those of its whole batch."""
    stages = ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in (timings.get("stages_s") or {}).items())
    console.print(
        f"Seconds: waited {timings['queue_s']:.2f}, ran {timings['run_s']:.2f} in a batch of {timings['batch_size']}"
        + (f" ({stages})" if stages else "")
    )


def print_grade(console: Console, bundle: Mapping[str, str]) -> None:
    """What the models are worth, said every time."""
    console.print(f"Models: bundle {bundle['name']!r}, grade '{bundle['grade']}'. {GRADES.get(bundle['grade'], '')}")
