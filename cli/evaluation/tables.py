"""The tables of an evaluation at the command line: they fit 80 columns."""

from collections.abc import Sequence
from statistics import fmean

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from diffam_core.score import DECISION_FAR
from evaluation.evaluate import Evaluation
from evaluation.summary import Gain, Line


def _narrow(title: str, *columns: str) -> Table:
    """A table of methods that fits 80 columns with every name whole: no frame, one space between its columns."""
    table = Table(title=title, box=SIMPLE_HEAD, padding=0, show_edge=False)
    table.add_column("method", no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def print_tables(console: Console, table: Sequence[Line], lead: Gain | None, against: str) -> None:
    """Shares and costs, a line per method. against: what tells whether the owner is known."""
    judges = list(table[0].asr)
    rates = _narrow(
        "Taken for the target, % at FAR 0.01, held-out recognisers", *judges, "mean", "95 %", "owner\nknown"
    )
    costs = _narrow("Quality", "FID", "PSNR", "SSIM", "face\nPSNR", "face\nSSIM", "LPIPS", "lips", "s")
    for line in table:
        mean, (low, high) = line.mean
        shares = [f"{100 * line.asr[name].value:.1f}" for name in judges]
        rates.add_row(
            line.title, *shares, f"{100 * mean:.1f}", f"{100 * low:.0f}-{100 * high:.0f}", f"{100 * line.own_match:.1f}"
        )
        cost = line.cost
        costs.add_row(
            line.title, f"{cost.fid:.2f}", f"{cost.psnr_db:.1f}", f"{cost.ssim:.3f}", f"{cost.face_psnr_db:.1f}",
            f"{cost.face_ssim:.3f}", f"{cost.lpips:.3f}", f"{cost.lip_distance:.1f}", f"{cost.seconds:.2f}",
        )  # fmt: skip
    console.print(rates, costs)
    console.print(f"Owner known: %, by held-out recognisers, measured against {against}.")
    if lead is not None:
        console.print(
            f"{lead.points:+.1f} points against {lead.over}, at SSIM {lead.ssim:.3f} and {lead.noise_ssim:.3f}"
        )


def print_known(console: Console, evaluation: Evaluation) -> None:
    """How many owners recognisers that people run still know, a line per method and treatment."""
    if not evaluation.known:
        return
    judges = list(dict.fromkeys(opinion.judge for opinion in evaluation.known))
    table = _narrow("Owner known, % at FAR 0.01, by recognisers that people run", *judges, "mean")
    rows: dict[tuple[str, str], dict[str, list[float]]] = {}
    for opinion in evaluation.known:
        place = rows.setdefault((opinion.method, opinion.treatment), {})
        place.setdefault(opinion.judge, []).append(100 * opinion.shares[DECISION_FAR].value)
    for (method, treatment), shares in rows.items():
        means = [fmean(shares[judge]) for judge in judges]
        table.add_row(f"{method}, {treatment}", *(f"{mean:.1f}" for mean in means), f"{fmean(means):.1f}")
    console.print(table)
    console.print(f"Measured against {evaluation.subjects.own_match_against}, of {evaluation.known[0].n} people.")
