"""`diffam evaluate`: every method, every recogniser, every treatment; a table, a JSON file, a report."""

import platform
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from cli.bundles.choosing import choose
from cli.commit import commit
from cli.errors import CliError
from cli.evaluation.tables import print_groups, print_known, print_searches, print_tables
from cli.evaluation.verifiers import VerifierOrder, agree, ask, check, print_verdicts
from evaluation.commercial.verification import questions_of
from evaluation.datasets import DATASETS
from evaluation.evaluate import Evaluation
from evaluation.evaluate import evaluate as measure
from evaluation.judged.tasks import Selection, out_of_reach, tasks_of
from evaluation.method import EQUALS, Equal, Method, at_budgets
from evaluation.methods import METHODS
from evaluation.report import Facts, write_json, write_report
from evaluation.running.room import Scope
from evaluation.subjects import Subjects, gather_subjects
from evaluation.summary import gains, summary
from evaluation.traits import groups_of
from evaluation.treatments import TREATMENTS, treatments_of
from jobs.settings import Settings
from model_store.additions import with_additions
from model_store.bundle import Bundle
from model_store.catalog import StyleCard
from model_store.datasets.folder import people_in, traits_in
from model_store.datasets.people import Person
from model_store.opening import open_chosen

FEWEST_FACES = 4


@dataclass(frozen=True)
class EvaluationOrder:
    """What to measure, on whom, and where to write it.

    methods, treatments: None means all that there are.  noise_eps: in grey levels; None means that of equal SSIM or
    PSNR, `equals`, None being both where a bundle refines, else SSIM.  is_searched: whether owners are looked for in a
    gallery.  strangers: a folder of people who are in it.
    """

    dataset: str
    selection: Selection
    methods: Sequence[str] | None
    faces: int
    seed: int
    noise_eps: float | None = None
    json_file: Path | None = None
    out: Path | None = None
    treatments: Sequence[str] | None = None
    is_searched: bool = False
    strangers: Path | None = None
    verifiers: VerifierOrder = field(default_factory=VerifierOrder)
    equals: tuple[Equal, ...] | None = None


def evaluate(console: Console, settings: Settings, order: EvaluationOrder) -> None:
    """Measure the styles of a bundle, added ones included.

    Raises CliError, StoreError, DiffAMError, OSError, and VerifierError once everything else is written.
    """
    chosen = {name: METHODS[name] for name in _known("method", order.methods or list(METHODS), METHODS)}
    _known("dataset", [order.dataset], DATASETS)
    _known("treatment", order.treatments or [], TREATMENTS)
    strangers = [] if order.strangers is None else people_in(order.strangers)
    check(settings, order.verifiers)
    bundle = _open(settings, order)
    tasks = _tasks(bundle, order)
    _check_treatments(bundle, order.treatments or [])
    for name, reason in out_of_reach(bundle.catalog, tasks, chosen).items():
        if order.methods:
            raise CliError(f"no method {name!r} here: {reason}")
        if bundle.catalog.refines or name not in ("quick", "refinement"):  # nobody misses those elsewhere
            console.print(f"Without the method {name!r}: {reason}.")
        del chosen[name]
    chosen = at_budgets(chosen, _equals(bundle, order))
    questions = questions_of(chosen, tasks)
    agree(console, settings, order.verifiers, questions, order.faces)
    evaluation = _measure(bundle, settings, order, tasks, chosen, strangers)
    verification = ask(settings, order.verifiers, bundle, evaluation, questions)
    facts = _facts(bundle, evaluation.subjects, settings, order)
    if facts.faces < order.faces:
        console.print(f"{order.dataset!r} has {facts.faces} people to measure with, not {order.faces}.")
    table = summary(evaluation, chosen)
    if order.json_file is not None:
        write_json(order.json_file, evaluation, chosen, facts, verification)
    print_tables(console, table, gains(table), evaluation.subjects.own_match_against)
    print_known(console, evaluation, chosen)
    print_groups(console, groups_of(evaluation, chosen, facts.traits))
    print_searches(console, evaluation, chosen)
    if order.out is not None:
        console.print(f"Report: {write_report(order.out, evaluation, chosen, facts, verification)}")
    print_verdicts(console, verification, chosen)


def _open(settings: Settings, order: EvaluationOrder) -> Bundle:
    """The bundle, additions in its catalog; judges say nothing of drawn people. Raises CliError."""
    is_drawn = order.dataset == "rendered"
    choice = choose(settings)
    if is_drawn and choice.catalog.refines:
        raise CliError(f"{choice.folder.name!r} is measured on people, not on drawn ones: name a folder with --people")
    added = settings.added_to(choice.folder.name)
    bundle = open_chosen(choice, settings.device, added, judges=() if is_drawn else None)
    return replace(bundle, catalog=with_additions(bundle.catalog, bundle.added))


def _tasks(bundle: Bundle, order: EvaluationOrder) -> tuple[StyleCard, ...]:
    """What is measured, all styles attached. Raises CliError, StoreError."""
    catalog, chosen = bundle.catalog, order.selection
    judges = tuple(bundle.judges.recognisers) if bundle.judges and catalog.refines else catalog.recognisers
    _known("reference", chosen.references or [], [card.id for card in catalog.references])
    _known("target", chosen.targets or [], [card.id for card in catalog.targets])
    _known("recogniser", chosen.held_out or [], judges)
    tasks = tasks_of(catalog, chosen, judges)
    for task in tasks:
        bundle.find_style(task.reference, task.target)
    return tasks


def equals_of(names: Sequence[str] | None) -> tuple[Equal, ...] | None:
    """The budgets by name. Raises CliError for another name."""
    _known("budget", names or [], EQUALS)
    return tuple(equal for equal in EQUALS if equal in names) if names else None


def _equals(bundle: Bundle, order: EvaluationOrder) -> tuple[Equal, ...]:
    """The budgets of noise; one that is given in grey levels is one."""
    if order.noise_eps is not None:
        return ("ssim",)
    return order.equals or (EQUALS if bundle.catalog.refines else ("ssim",))


def _measure(
    bundle: Bundle,
    settings: Settings,
    order: EvaluationOrder,
    tasks: tuple[StyleCard, ...],
    methods: dict[str, Method],
    strangers: list[Person],
) -> Evaluation:
    """Gather people and run the methods on the tasks, behind progress bars. Raises CliError with too few people."""
    columns = (
        TextColumn("{task.description:<15}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TimeRemainingColumn(),
    )  # fmt: skip
    eps = None if order.noise_eps is None else 2 * order.noise_eps / 255
    with Progress(*columns, console=Console(stderr=True)) as progress:
        photos, runs = progress.add_task("photos", total=order.faces), progress.add_task("methods", total=None)
        subjects = gather_subjects(
            bundle.models, DATASETS[order.dataset], order.faces, order.seed,
            lambda _name, done, total: progress.update(photos, completed=done, total=total),
            settings.dataset_dir,
        )  # fmt: skip
        if len(subjects.faces) < FEWEST_FACES:
            found = f"only {len(subjects.faces)} people with a face in the test side of {order.dataset!r}"
            raise CliError(f"{found}; {FEWEST_FACES} needed")
        enrolled = progress.add_task("strangers", total=None, visible=bool(strangers))
        scope = Scope(
            order.treatments, eps, order.verifiers.photos if order.verifiers.names else 0, order.is_searched, strangers,
            lambda done, total: progress.update(enrolled, completed=done, total=total), tasks,
        )  # fmt: skip
        return measure(
            bundle, subjects, methods,
            lambda name, done, total: progress.update(runs, description=name, completed=done, total=total), scope,
        )  # fmt: skip


def _facts(bundle: Bundle, subjects: Subjects, settings: Settings, order: EvaluationOrder) -> Facts:
    catalog = bundle.catalog
    return Facts(
        bundle=catalog.name,
        grade=catalog.grade,
        dataset=order.dataset,
        faces=len(subjects.faces),
        seed=order.seed,
        not_found=subjects.not_found,
        fid_features=f"CLIP image features of the {catalog.name} bundle",
        detector=bundle.models.detector.name,
        commit=commit(),
        machine=platform.platform(),
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        strangers=None if order.strangers is None else order.strangers.name,
        traits=traits_in(settings.dataset_dir) if order.dataset == "people" and settings.dataset_dir else {},
    )


def _check_treatments(bundle: Bundle, treatments: Sequence[str]) -> None:
    """Refuse what was asked for and cannot be measured here. Raises CliError."""
    there = treatments_of(bundle)
    for name in treatments:
        if name not in there:
            raise CliError(
                f"no treatment {name!r} here: it needs a second face detector, which `diffam models pull recognisers` "
                f"fetches; there are: {', '.join(there)}"
            )


def _known(kind: str, names: Sequence[str], registry: Collection[str]) -> Sequence[str]:
    for name in names:
        if name not in registry:
            raise CliError(f"no {kind} {name!r}; there are: {', '.join(registry)}")
    return names
