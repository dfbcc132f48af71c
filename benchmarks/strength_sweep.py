"""How visible make-up is and how well it protects at strengths from 0 to 1, and which of them `auto` takes.

    python -m benchmarks.strength_sweep [--styles rose-aurora,ember-bruno,lagoon-celia] [--faces 40] [--seed 7]
        [--json docs/measurements/strength.json] [--plot docs/images/strength.png]

Rendered people whom no training, no calibration and no evaluation met; held-out recognisers at FAR 0.01.
"""

import argparse
import json
import platform
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure

from cli.commit import commit
from evaluation.datasets import DATASETS
from evaluation.strength import least_passing, row_of, sweep
from evaluation.subjects import gather_subjects
from model_store.bundle import Bundle, open_bundle
from model_store.catalog import BUNDLES, StyleCard
from protection.strength import held_out_recognisers


def measure(bundle: Bundle, styles: Sequence[StyleCard], faces: int, seed: int) -> list[dict[str, Any]]:
    """Per style: rows of means, and how often which strength was the least that passes."""
    subjects = gather_subjects(bundle.models, DATASETS["rendered"], faces, seed, lambda *_: None)
    measured = []
    for style in styles:
        points = sweep(bundle, subjects, style)
        chosen = Counter(least_passing(bundle, points))
        measured.append(
            {
                "style": style.adapter,
                "held_out": held_out_recognisers(bundle.models, style),
                "rows": [row_of(bundle, point) for point in points],
                "auto": {"none" if s is None else f"{s:g}": chosen[s] for s in sorted(chosen, key=lambda s: s or 2)},
            }
        )
    return measured


def plot(measured: Sequence[dict[str, Any]]) -> Figure:
    """Visible change, cosines and shares over strength, a line per style."""
    figure = Figure(figsize=(13, 3.8), layout="constrained")
    change, cosine, share = figure.subplots(1, 3)
    for index, style in enumerate(measured):
        rows, colour = style["rows"], f"C{index}"
        strengths = [row["strength"] for row in rows]
        after = [row["protection"]["jpeg75"] for row in rows]
        change.plot(strengths, [row["rms"] for row in rows], "o-", color=colour, label=style["style"])
        for axes, solid, dashed in ((cosine, "own_match", "target_match"), (share, "dodged", "impersonated")):
            axes.plot(strengths, [row[solid] for row in after], "o-", color=colour)
            axes.plot(strengths, [row[dashed] for row in after], "s--", color=colour)
    change.set(title="Visible change of the face", ylabel="RMS, grey levels of 255")
    cosine.set(title="Held-out recognisers, after JPEG 75", ylabel="mean cosine")
    share.set(title="The same at FAR 0.01", ylabel="share of faces and recognisers", ylim=(-0.03, 1.03))
    for axes in (change, cosine, share):
        axes.set_xlabel("strength")
        axes.grid(alpha=0.3)
    change.legend()
    for axes, solid, dashed in ((cosine, "with the owner", "with the target"), (share, "dodged", "impersonated")):
        axes.plot([], [], "o-", color="grey", label=solid)
        axes.plot([], [], "s--", color="grey", label=dashed)
        axes.legend()
    return figure


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--styles", default="rose-aurora,ember-bruno,lagoon-celia")
    parser.add_argument("--faces", type=int, default=40)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    measured_at = commit()
    bundle = open_bundle(BUNDLES / "mini")
    styles = [bundle.catalog.style_for(*name.split("-")) for name in arguments.styles.split(",")]
    measured = measure(bundle, styles, arguments.faces, arguments.seed)
    facts = {
        "styles": measured, "faces": arguments.faces, "seed": arguments.seed,
        "commit": measured_at, "machine": platform.platform(),
    }  # fmt: skip
    print(json.dumps(facts, indent=2))  # noqa: T201
    if arguments.json:
        arguments.json.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    if arguments.plot:
        plot(measured).savefig(arguments.plot, dpi=110)


if __name__ == "__main__":
    main()
