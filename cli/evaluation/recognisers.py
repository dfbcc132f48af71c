"""`diffam evaluate recognisers`: how well recognisers of libraries tell real people apart, and at which threshold."""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from cli.commit import commit
from cli.errors import CliError
from jobs.settings import Settings
from model_store.datasets.folder import people_in
from model_store.datasets.people import Person
from model_store.digest import sha256_of
from model_store.judges import FOLDER

if TYPE_CHECKING:
    from evaluation.judged.recognisers import Accuracy, Group, Seen

LEAST_PEOPLE = 10
"""To measure thresholds with; fewer say nothing about a false accept rate."""


@dataclass(frozen=True)
class RecogniserOrder:
    """Which recognisers to measure on whom; is_kept: whether the thresholds go into the folder of recognisers."""

    people: str
    judges: tuple[str, ...] | None
    most: int | None
    json_file: Path | None
    is_kept: bool


def people_folder(settings: Settings, people: str) -> Path:
    """A folder by its path, or by its name in the folder of people. Raises CliError."""
    places = [Path(people)] + ([settings.people_dir / people] if settings.people_dir else [])
    for place in places:
        if place.is_dir():
            return place
    raise CliError(f"no people: looked for {' and '.join(map(str, places))}; DIFFAM_PEOPLE_DIR holds folders by name")


def strangers_folder(settings: Settings, people: str, measured: Path | None, is_searched: bool) -> Path:
    """The same of people whom nobody measures. Raises CliError, also where a file of theirs is measured; StoreError."""
    if not is_searched:
        raise CliError("--strangers are enrolled in a gallery: there is one with --identify")
    folder = people_folder(settings, people)
    if measured is None:
        return folder
    if folder.resolve() == measured.resolve():
        raise CliError(f"the people of {folder.name} are measured: strangers must be others")
    if both := _measured_too(people_in(folder), measured):
        raise CliError(f"strangers must be others, but {measured.name} has photos of {', '.join(both)}, too")
    return folder


def _measured_too(strangers: Sequence[Person], measured: Path) -> list[str]:
    """Of whom a photo is in another folder, too, whatever it is called there."""
    sizes: dict[int, list[Path]] = {}
    for path in {*measured.rglob("*"), *measured.glob("*/*")}:  # the first enters no folder that is a link
        if path.is_file():
            sizes.setdefault(path.stat().st_size, []).append(path)

    def is_there(photo: Path) -> bool:
        alike = sizes.get(photo.stat().st_size, [])
        return bool(alike) and sha256_of(photo) in map(sha256_of, alike)

    return [person.id for person in strangers if any(map(is_there, person.photos))]


def evaluate_recognisers(console: Console, settings: Settings, order: RecogniserOrder) -> None:
    """Measure, print, and write what was asked for. Raises CliError, StoreError, OSError."""
    from evaluation.judged.recognisers import eyes_of_judges, measure, see_people
    from model_store.datasets.folder import traits_in
    from model_store.recognisers import open_judges

    folder = people_folder(settings, order.people)
    judges = open_judges(settings.shelf / FOLDER, order.judges, settings.device)
    if judges is None:
        raise CliError("no recogniser was pulled; `diffam models pull recognisers` fetches them")
    people = [person for person in people_in(folder) if len(person.photos) > 1][: order.most]
    if len(people) < LEAST_PEOPLE:
        raise CliError(f"{folder.name} has {len(people)} people with two photos; {LEAST_PEOPLE} are needed")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("looking at photos")
        eyes = eyes_of_judges(judges)
        seen = see_people(eyes, people, lambda done, total: progress.update(bar, completed=done, total=total))
    found = dict(measure(judges, seen, traits_in(folder)))
    print_accuracies(console, seen, found)
    facts = {
        "people": folder.name, "persons": len(people), "photos": len(seen.owners), "missed": seen.missed,
        "commit": commit(), "machine": platform.platform(),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "recognisers": {name: asdict(accuracy) for name, accuracy in found.items()},
    }  # fmt: skip
    if order.json_file is not None:
        order.json_file.parent.mkdir(parents=True, exist_ok=True)
        order.json_file.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    if order.is_kept:
        _keep(settings.shelf / FOLDER, found, f"{len(people)} people of {folder.name}, commit {commit()}")
        console.print("The thresholds are kept with the recognisers.")


def print_accuracies(console: Console, seen: "Seen", found: Mapping[str, "Accuracy"]) -> None:
    """A table of accept rates, one of thresholds, and two for every trait."""
    first = next(iter(found.values()))
    console.print(
        f"{len(seen.people)} people, {len(seen.owners)} faces ({len(seen.missed)} photos without one): "
        f"{first.genuine} genuine and {first.impostors} impostor pairs"
    )
    rates = Table("recogniser", "EER", *(f"TAR@FAR {far}" for far in first.points), "TAR, FAR as shipped")
    thresholds = Table("recogniser", *(f"cosine at FAR {far} (95 %)" for far in first.points))
    for name, accuracy in found.items():
        passed, fooled = accuracy.shipped
        rates.add_row(
            name, f"{accuracy.eer.value:.3f}", *(f"{point.accepted.value:.3f}" for point in accuracy.points.values()),
            f"{passed.value:.3f}, {fooled.value:.4f}",
        )  # fmt: skip
        thresholds.add_row(
            name,
            *(
                f"{point.threshold.value:.3f} ({point.threshold.ci95[0]:.3f} to {point.threshold.ci95[1]:.3f})"
                for point in accuracy.points.values()
            ),
        )
    console.print(rates, thresholds)
    for trait in first.groups:
        console.print(*_trait_tables(trait, {name: accuracy.groups[trait] for name, accuracy in found.items()}))


def _trait_tables(trait: str, found: Mapping[str, Mapping[str, "Group"]]) -> tuple[Table, Table]:
    """Who is accepted, and which strangers: groups by recogniser and value."""
    genuine = Table(trait, "pairs", *found, title="One person accepted, at the threshold of FAR .01")
    strangers = Table(
        trait,
        "people",
        "pairs",
        *found,
        title="Strangers of one group accepted, at the same threshold (95 %, of people)",
    )
    for value, group in next(iter(found.values())).items():
        groups = [each[value] for each in found.values()]
        genuine.add_row(value, str(group.genuine), *(f"{each.accepted.value:.3f}" for each in groups))
        strangers.add_row(value, str(group.people), str(group.impostors), *map(_fooled, groups))
    return genuine, strangers


def _fooled(group: "Group") -> str:
    if group.fooled is None:
        return "-"
    low_high = f" ({group.fooled_ci95[0]:.3f} to {group.fooled_ci95[1]:.3f})" if group.fooled_ci95 else ""
    return f"{group.fooled:.3f}{low_high}"


def _keep(folder: Path, found: Mapping[str, "Accuracy"], provenance: str) -> None:
    """Write thresholds into the folder of recognisers, and on whom they were measured."""
    from model_store.published.recognisers.pack import keep_thresholds

    keep_thresholds(
        folder,
        {
            name: {far: round(point.threshold.value, 4) for far, point in accuracy.points.items()}
            for name, accuracy in found.items()
        },
        provenance,
    )
