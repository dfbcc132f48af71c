"""`diffam doctor`: what is installed, what is missing or damaged, and what this machine can run."""

import os
import platform
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from redis.exceptions import RedisError
from rich.console import Console
from rich.table import Table

from cli.errors import NoServer
from cli.stack.valkey import valkey_binary
from jobs.connect import connect
from jobs.settings import Settings
from model_store.catalog import BUNDLES, PULLED, read_catalog, read_manifest
from model_store.choice import choose_bundle
from model_store.errors import BundleDamaged, StoreError
from model_store.judges import FOLDER, check_judge, choose_judges, read_judges, read_judges_manifest

State = Literal["ok", "note", "bad"]
COLOURS: dict[State, str] = {"ok": "green", "note": "yellow", "bad": "red"}
GIB = 2**30
ROOM_BYTES = GIB
"""What a photo on its way takes beside the weights: activations, torch itself."""
LITTLE_DISK_BYTES = 5 * GIB


@dataclass(frozen=True)
class Finding:
    """One line of the report. A `bad` one keeps the chosen bundle from running."""

    what: str
    state: State
    says: str


def examine(console: Console, settings: Settings) -> bool:
    """Print the report; returns whether the chosen bundle runs here."""
    with console.status("looking"):
        needed, findings, name = 0, list[Finding](), settings.bundle
        try:
            choice = choose_bundle(settings.bundle, settings.shelf, settings.judges)
            findings += [*_others(settings, choice.folder), *_bundle(choice.folder, choice.judging, is_chosen=True)]
            if choice.because:
                findings.append(Finding("bundle auto", "note", choice.because))
            needed, name = needed_bytes(choice.folder), choice.folder.name
        except StoreError as error:
            findings.append(Finding(f"bundle {settings.bundle}", "bad", str(error)))
            findings += _others(settings, None)
        findings += [*_recognisers(settings), *_machine(settings, needed), *_service(settings)]
    table = Table("", "what", "finding", title=f"Can this machine run the bundle {name!r}?")
    for finding in findings:
        table.add_row(f"[{COLOURS[finding.state]}]{finding.state}[/]", finding.what, finding.says.replace("[", r"\["))
    console.print(table)
    bad = [finding.what for finding in findings if finding.state == "bad"]
    if bad:
        console.print(f"[red]No.[/] To be repaired first: {', '.join(bad)}.")
    else:
        console.print("[green]Yes.[/] `diffam up` serves it; `diffam protect` needs no service.")
    return not bad


def _others(settings: Settings, chosen: Path | None) -> Iterator[Finding]:
    """The bundles that were not chosen, and what is not finished. Their defects do not keep the chosen one back."""
    from model_store.published.draft import leftovers

    pulled = tuple(read_judges(settings.shelf / FOLDER))
    for shelf in (settings.shelf, BUNDLES):
        for manifest in sorted(shelf.glob("*/bundle.toml")):
            if manifest.parent != chosen:
                yield from _bundle(manifest.parent, pulled, is_chosen=False)
        for draft in leftovers(shelf):
            yield Finding("unfinished import", "note", f"{draft} may be deleted, unless an import runs now")
    if PULLED not in {folder.parent.name for folder in settings.shelf.glob("*/bundle.toml")}:
        yield Finding(f"bundle {PULLED}", "note", f"not installed; `diffam models pull {PULLED}` fetches it")
    for partial in sorted((settings.data_dir / "downloads").glob("*/*.partial")):
        size = partial.stat().st_size / 2**20
        yield Finding("unfinished download", "note", f"{partial.stem}: {size:.0f} MiB are here; pull again to go on")


def _bundle(folder: Path, pulled: Collection[str], is_chosen: bool) -> Iterator[Finding]:
    """A bundle's files, and what it lacks. Raises StoreError for the chosen one only."""
    from model_store.catalog import damaged_files

    what = f"bundle {folder.name}"
    try:
        catalog, problems = read_catalog(folder, pulled), damaged_files(folder)
    except StoreError as error:
        if is_chosen:
            raise
        yield Finding(what, "note", str(error))
        return
    for problem in problems:
        yield Finding(what, "bad" if is_chosen else "note", f"{problem}; pull or import it again")
    if problems:
        return
    offers = f"{len(catalog.references)} looks, {len(catalog.targets)} targets, {len(catalog.styles)} styles"
    yield Finding(what, "ok", f"{catalog.grade}, whole; {offers}; {', '.join(catalog.recognisers)}; in {folder}")
    if not catalog.styles:
        yield Finding(what, "note", "no style yet; `diffam references fine-tune` makes one")
    if folder.name == PULLED:
        yield from _lacking(what, folder)


def _lacking(what: str, folder: Path) -> Iterator[Finding]:
    """The optional parts that a pulled bundle does without."""
    from model_store.published.sources import read_sources

    manifest, sources = read_manifest(folder), read_sources()
    present = {Path(name).stem for name in manifest["files"]}
    present |= {kind for kind in ("references", "targets", "styles") if manifest[kind]}
    for part in sources.parts:
        if part not in present and sources.giving(part):
            yield Finding(what, "note", f"without {sources.whereabouts(part)}")


def _recognisers(settings: Settings) -> Iterator[Finding]:
    """Those of libraries. Without any, photos are protected all the same; with a damaged one that is to judge, or a
    damaged detector, not."""
    from model_store.published.recognisers.pack import known_recognisers

    folder = settings.shelf / FOLDER
    try:
        manifest, cards = read_judges_manifest(folder), read_judges(folder)
        wanted = choose_judges(folder, settings.judges)
    except StoreError as error:
        yield Finding(FOLDER, "bad", str(error))
        return
    for name in [*cards, *(["detector"] if cards else [])]:
        what, card = f"recogniser {name}" if name in cards else "detector of recognisers", cards.get(name)
        try:
            check_judge(folder, manifest, name)
            yield Finding(what, "ok", f"{card.title}, whole: {card.stands_for}" if card else "whole")
        except BundleDamaged as error:
            yield Finding(what, "bad" if name in wanted or not card else "note", str(error))
    if missing := [row["title"] for name, row in known_recognisers().items() if name not in cards]:
        yield Finding(FOLDER, "note", f"not here: {', '.join(missing)}; `diffam models pull {FOLDER}` fetches them")


def needed_bytes(folder: Path) -> int:
    """About how much memory a bundle needs: its weights as float32, half as much again while loading, and room."""
    from safetensors import safe_open

    whole_styles = {style.file for style in read_catalog(folder).styles if style.mode == "full"}
    values = 0
    for name in read_manifest(folder)["files"]:
        path = folder / name
        if path.suffix == ".safetensors" and path.is_file() and path not in whole_styles:
            with safe_open(path, "pt") as file:
                for key in file.keys():  # noqa: SIM118  # no dict: it cannot be iterated
                    size = 1
                    for side in file.get_slice(key).get_shape():
                        size *= side
                    values += size
    return 6 * values + ROOM_BYTES


def _machine(settings: Settings, needed: int) -> Iterator[Finding]:
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("machine", "ok", f"{platform.platform()}, {cores} cores, Python {platform.python_version()}")
    yield Finding("torch", "ok", f"{torch.__version__}, device {settings.device!r}")
    if not settings.device.startswith("cuda"):
        yield _memory("memory", available_bytes(), needed)
        if torch.cuda.is_available():
            name = torch.cuda.get_device_name()
            yield Finding("accelerator", "note", f"{name} is not used; DIFFAM_DEVICE=cuda would")
    elif (torch.device(settings.device).index or 0) < torch.cuda.device_count():
        free, _ = torch.cuda.mem_get_info(settings.device)
        yield _memory(torch.cuda.get_device_name(settings.device), free, needed)
    else:
        yield Finding(
            "accelerator", "bad", f"torch sees no {settings.device!r}; set DIFFAM_DEVICE=cpu, or check the driver"
        )


def _memory(what: str, free: int | None, needed: int) -> Finding:
    if free is None:
        return Finding(what, "note", f"about {needed / GIB:.1f} GiB are needed; this system does not say what is free")
    says = f"{free / GIB:.1f} GiB free, the bundle needs about {needed / GIB:.1f} GiB"
    return Finding(what, "ok" if free >= needed else "bad", says)


def available_bytes() -> int | None:
    """Memory that programs may still take; None where the system has no /proc."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _service(settings: Settings) -> Iterator[Finding]:
    yield _redis(settings)
    place = settings.data_dir.resolve()
    while not place.exists():
        place = place.parent
    writable = os.access(place, os.W_OK)
    says = f"{settings.data_dir} can {'be written' if writable else 'not be written; set DIFFAM_DATA_DIR'}"
    yield Finding("data folder", "ok" if writable else "bad", says)
    free = shutil.disk_usage(place).free
    yield Finding("disk", "ok" if free >= LITTLE_DISK_BYTES else "note", f"{free / GIB:.0f} GiB free for {place}")


def _redis(settings: Settings) -> Finding:
    if settings.redis_url is None:
        try:
            return Finding("queue", "ok", f"embedded Valkey: {valkey_binary().name}")
        except NoServer as error:
            return Finding("queue", "note", f"`diffam up` cannot start: {error}")
    try:
        with connect(settings) as redis:
            redis.ping()
        return Finding("queue", "ok", "the Redis of DIFFAM_REDIS_URL answers")
    except (RedisError, ValueError) as error:
        return Finding("queue", "note", f"`diffam up` cannot start: the Redis of DIFFAM_REDIS_URL is silent ({error})")
