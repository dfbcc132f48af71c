"""The tables of an evaluation at the command line: they fit 80 columns."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from diffam_core.score import Share
from evaluation.evaluate import Evaluation
from evaluation.method import Method
from evaluation.summary import Gain, Line, known_lines, missed_faces, search_lines
from protection.measuring.identification import FPIR

FEW = ": none of so few"


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


def print_known(console: Console, evaluation: Evaluation, methods: dict[str, Method]) -> None:
    """How many owners recognisers that people run still know, a line per method and treatment."""
    lines = known_lines(evaluation, methods)
    if not lines:
        return
    table = _narrow("Owner known, % at FAR 0.01, by recognisers that people run", *lines[0].shares, "mean")
    for line in lines:
        shares = [f"{100 * share.value:.1f}" for share in (*line.shares.values(), line.mean)]
        table.add_row(f"{line.method}, {line.treatment}", *shares)
    console.print(table)
    people = evaluation.known[0].n
    console.print(f"Measured against {evaluation.subjects.own_match_against}, of {people} people.")
    for treatment, (missed, photos, others) in missed_faces(evaluation).items():
        console.print(
            f"After {treatment} no face was seen in {missed} of {photos} photos, and in {others} of {people} that they "
            "are compared with: judges looked where it had been."
        )


def print_searches(console: Console, evaluation: Evaluation, methods: dict[str, Method]) -> None:
    """Whom a search engine names, a line per method and states of query and gallery."""
    lines = search_lines(evaluation, methods)
    if not lines:
        return
    found = evaluation.searches[0].found
    table = _narrow("Searches that find the owner, %", "query", "gallery", "rank 1", "rank 5", "named", "95 %")
    for line in lines:
        low, high = line.mean.tpir.ci95
        shares = [_percent(share) for share in (line.mean.rank_1, line.mean.rank_5, line.mean.tpir)]
        table.add_row(line.title, line.query, line.gallery, *shares, f"{100 * low:.0f}-{100 * high:.0f}")
    console.print(table)
    console.print(
        f"Means over {', '.join(lines[0].hits)}: held out, for every method. "
        f"Gallery: {found.persons} people; {found.searches} searches. "
        f"Named: first, and at or above the cosine that at most {FPIR:.0%} of {found.non_mated} searches reach which "
        f"must find nobody{FEW if found.non_mated * FPIR < 1 else ''}."
    )


def _percent(share: Share | None) -> str:
    return "-" if share is None else f"{100 * share.value:.1f}"
