"""`diffam evaluate`: every method, every recogniser, every treatment; a table, a JSON file, a report."""

import platform
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from cli.commit import commit
from cli.errors import CliError
from cli.evaluation.verifiers import VerifierOrder, agree, ask, check, print_verdicts
from jobs.settings import Settings
from model_store.catalog import Catalog, find_bundle

FEWEST_FACES = 4


def evaluate(
    console: Console,
    settings: Settings,
    dataset: str,
    references: list[str] | None,
    names: list[str] | None,
    faces: int,
    seed: int,
    noise_eps: float | None,
    json_file: Path | None,
    out: Path | None,
    order: VerifierOrder,
) -> None:
    """Measure the styles of a bundle, added ones included.

    Raises CliError, StoreError, DiffAMError, OSError, and VerifierError once everything else is written.
    """
    from evaluation.commercial.verification import questions_of
    from evaluation.datasets import DATASETS
    from evaluation.evaluate import evaluate as measure
    from evaluation.methods import METHODS
    from evaluation.report import gain, summary, write_json, write_report
    from evaluation.subjects import gather_subjects
    from model_store.additions import with_additions
    from model_store.bundle import open_bundle

    chosen = {name: METHODS[name] for name in _known("method", names or list(METHODS), METHODS)}
    _known("dataset", [dataset], DATASETS)
    check(settings, order)
    bundle = open_bundle(find_bundle(settings.bundle, settings.shelf), settings.device, settings.added)
    catalog = with_additions(bundle.catalog, bundle.added)
    references = _known(
        "reference", references or [card.id for card in catalog.references], {c.id: c for c in catalog.references}
    )
    styles = tuple(style for style in catalog.styles if style.reference in references)
    if not styles:
        raise CliError(f"no style is trained for: {', '.join(references)}")
    for style in styles:
        bundle.find_style(style.reference, style.target)
    bundle = replace(bundle, catalog=replace(catalog, styles=styles))
    if not names:
        for name, reason in _out_of_reach(bundle.catalog).items():
            console.print(f"Without the method {name!r}: {reason}.")
            del chosen[name]
    questions = questions_of(chosen, styles)
    agree(console, settings, order, questions, faces)
    columns = (
        TextColumn("{task.description:<15}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as progress:
        photos, runs = progress.add_task("photos", total=faces), progress.add_task("methods", total=None)
        subjects = gather_subjects(
            bundle.models, DATASETS[dataset], faces, seed,
            lambda _name, done, total: progress.update(photos, completed=done, total=total),
            settings.dataset_dir,
        )  # fmt: skip
        found = len(subjects.photos)
        if found < FEWEST_FACES:
            raise CliError(f"only {found} people with a face in the test side of {dataset!r}; {FEWEST_FACES} needed")
        evaluation = measure(
            bundle, subjects, chosen,
            lambda name, done, total: progress.update(runs, description=name, completed=done, total=total),
            None if noise_eps is None else 2 * noise_eps / 255, order.photos if order.names else 0,
        )  # fmt: skip
    verification = ask(settings, order, bundle, evaluation, questions)
    facts = {
        "bundle": bundle.catalog.name, "grade": bundle.catalog.grade, "dataset": dataset, "faces": found, "seed": seed,
        "not_found": subjects.not_found, "fid_features": f"CLIP image features of the {bundle.catalog.name} bundle",
        "commit": commit(), "machine": platform.platform(),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }  # fmt: skip
    if found < faces:
        console.print(f"{dataset!r} has {found} people to measure with, not {faces}.")
    table = summary(evaluation, chosen)
    if json_file is not None:
        write_json(json_file, evaluation, chosen, facts, verification)
    print_tables(console, table, gain(table), subjects.own_match_against)
    if out is not None:
        console.print(f"Report: {write_report(out, evaluation, chosen, facts, verification)}")
    print_verdicts(console, verification, chosen)


def _out_of_reach(catalog: Catalog) -> dict[str, str]:
    """The methods that these styles leave nothing to measure with, and why."""
    references = {style.reference for style in catalog.styles}
    alone = [name for name in references if catalog.reference(name).makeup is None]
    single = [name for name in references if len({s.target for s in catalog.styles if s.reference == name}) == 1]
    reasons = {
        "makeup": alone and f"no style without a target is trained for {', '.join(sorted(alone))}",
        "wrong_identity": single and f"only one target is trained for {', '.join(sorted(single))}",
    }
    return {name: reason for name, reason in reasons.items() if reason}


def _known(kind: str, names: list[str], registry: dict[str, Any]) -> list[str]:
    for name in names:
        if name not in registry:
            raise CliError(f"no {kind} {name!r}; there are: {', '.join(registry)}")
    return names


def _narrow(title: str, *columns: str) -> Table:
    """A table of methods that fits 80 columns with every name whole: no frame, one space between its columns."""
    table = Table(title=title, box=SIMPLE_HEAD, padding=0, show_edge=False)
    table.add_column("method", no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def print_tables(console: Console, table: list[dict[str, Any]], lead: dict[str, Any] | None, against: str) -> None:
    judges = list(table[0]["asr"])
    rates = _narrow(
        "Taken for the target, % at FAR 0.01, held-out recognisers", *judges, "mean", "95 %", "owner\nknown"
    )
    costs = _narrow("Quality", "FID", "PSNR", "SSIM", "face\nPSNR", "face\nSSIM", "LPIPS", "lips", "s")
    for line in table:
        mean, (low, high) = line["mean"]
        shares = [f"{100 * line['asr'][name][0]:.1f}" for name in judges]
        rates.add_row(
            line["title"], *shares, f"{100 * mean:.1f}", f"{100 * low:.0f}-{100 * high:.0f}",
            f"{100 * line['own_match']:.1f}",
        )  # fmt: skip
        costs.add_row(
            line["title"], f"{line['fid']:.2f}", f"{line['psnr_db']:.1f}", f"{line['ssim']:.3f}",
            f"{line['face_psnr_db']:.1f}", f"{line['face_ssim']:.3f}", f"{line['lpips']:.3f}",
            f"{line['lip_distance']:.1f}", f"{line['seconds']:.2f}",
        )  # fmt: skip
    console.print(rates, costs)
    console.print(f"Owner known: %, by held-out recognisers, measured against {against}.")
    if lead is not None:
        points, ours, theirs = lead["points"], lead["ssim"], lead["noise_ssim"]
        console.print(f"{points:+.1f} points against {lead['over']}, at SSIM {ours:.3f} and {theirs:.3f}")
