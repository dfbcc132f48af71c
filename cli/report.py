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
    """One table per protected face: cosines before → after, against the threshold at FAR 0.01."""
    for number, face in enumerate(faces, 1):
        width, height = face["box"][2:]
        title = f"Face {number} of {len(faces)}, {width}x{height} px: {face['reference']} towards {face['target']}"
        table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=0)
        for name in ("recogniser", "role"):
            table.add_column(name, no_wrap=True)
        for name in ("own match", "target match", "threshold"):
            table.add_column(name, justify="right", no_wrap=True)
        for name in ("dodged", "impersonated"):
            table.add_column(name, no_wrap=True)
        for row in face["recognisers"]:
            table.add_row(
                row["name"],
                row["role"].replace("_", "-"),
                f"{row['own_match_before']:.2f} → {row['own_match']:.2f}",
                f"{row['target_match_before']:.2f} → {row['target_match']:.2f}",
                f"{row['threshold_far_0.01']:.2f}",
                *(verdict(row[name]) for name in ("dodged", "impersonated")),
            )
        console.print(table)
        scores = face["scores"]
        console.print(
            f"Likeness of the photo: PSNR {scores['psnr_db']:.1f} dB, "
            f"SSIM {scores['ssim']:.3f}, LPIPS {scores['lpips']:.3f}"
        )


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
