"""The tables of an evaluation at the command line: they fit 80 columns."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from diffam_core.score import Share
from evaluation.evaluate import Evaluation
from evaluation.method import Method
from evaluation.summary import Gain, Line, known_lines, missed_faces, search_lines
from evaluation.traits import Group
from protection.measuring.identification import FPIR

FEW = ": none of so few"


def _narrow(title: str, *columns: str, first: str = "method") -> Table:
    """A table, of methods or what comes `first`, that fits 80 columns with names whole: no frame, a space between."""
    table = Table(title=title, box=SIMPLE_HEAD, padding=0, show_edge=False)
    table.add_column(first, no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def print_tables(console: Console, table: Sequence[Line], leads: Sequence[Gain], against: str) -> None:
    """Shares and costs, a line per method. against: what tells whether the owner is known."""
    judges, is_fleeing = list(table[0].shares), table[0].asked == "owner"
    title = "Owner known" if is_fleeing else "Taken for the target"
    last = "at FAR\n0.001" if is_fleeing else "owner\nknown"
    rates = _narrow(f"{title}, % at FAR 0.01, held-out recognisers", *judges, "mean", "95 %", last)
    costs = _narrow("Quality", "FID", "PSNR", "SSIM", "face\nPSNR", "face\nSSIM", "LPIPS", "lips", "s")
    for line in table:
        mean, (low, high) = line.mean
        shares = [f"{100 * line.shares[name].value:.1f}" for name in judges]
        other = line.strict.value if is_fleeing else line.own_match
        rates.add_row(
            line.title, *shares, f"{100 * mean:.1f}", f"{100 * low:.0f}-{100 * high:.0f}", f"{100 * other:.1f}"
        )
        cost = line.cost
        costs.add_row(
            line.title, f"{cost.fid:.2f}", f"{cost.psnr_db:.1f}", f"{cost.ssim:.3f}", f"{cost.face_psnr_db:.1f}",
            f"{cost.face_ssim:.3f}", f"{cost.lpips:.3f}", f"{cost.lip_distance:.1f}", f"{cost.seconds:.2f}",
        )  # fmt: skip
    console.print(rates, costs)
    console.print(f"Owner known: %, by held-out recognisers, measured against {against}.")
    for line in table:
        if is_fleeing and line.method == "diffam":
            console.print(f"All recognisers, attacked ones too: {100 * line.own_match_all:.1f} after {line.title}.")
    for lead in leads:
        ours, noise = (f"SSIM {ssim:.3f}, {psnr:.1f} dB" for ssim, psnr in _alike(lead))
        console.print(f"{lead.points:+.1f} points against {lead.over}, at {ours} and {noise}")


def _alike(lead: Gain) -> tuple[tuple[float, float], tuple[float, float]]:
    """How like the original our photos are, and those of noise."""
    return (lead.ssim, lead.psnr_db), (lead.noise_ssim, lead.noise_psnr_db)


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


def print_groups(console: Console, groups: Sequence[Group]) -> None:
    """How many owners of each group are known, bare and protected."""
    mine = [group for group in groups if group.method in ("nothing", "diffam")]
    if not mine:
        return
    places = dict.fromkeys((group.trait, group.value) for group in mine)
    names = dict.fromkeys(group.method for group in mine)
    title = "Owner known by trait, % at FAR 0.01, held-out recognisers"
    table = _narrow(title, "people", "no face", *names, "95 %", first="trait")
    for trait, value in places:
        here = [group for group in mine if (group.trait, group.value) == (trait, value)]
        shares = [f"{100 * group.mean.value:.1f}" for group in here]
        low, high = here[-1].mean.ci95
        counts = (str(here[0].n), str(here[0].left_out))
        table.add_row(f"{trait}: {value}", *counts, *shares, f"{100 * low:.0f}-{100 * high:.0f}")
    console.print(table)


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
