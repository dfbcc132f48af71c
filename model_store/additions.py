"""References and styles added to a bundle while it is in use: a folder of their own, shared by all workers.

`references/<id>/` holds one with its `reference.toml`; `styles/<name>.toml` beside `<name>.safetensors` a style. The
TOML is renamed into place last, so what has one is complete. No weights are read here and torch is never imported.
"""

import logging
import re
import shutil
import tomllib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex
from time import time
from typing import Literal, TypedDict, cast

from model_store.catalog import Catalog, Mode, ReferenceCard, StyleCard
from model_store.errors import (
    HeldOutAttacked,
    NameInvalid,
    ReferenceExists,
    ReferenceShipped,
    StoreError,
    StyleExists,
    UnknownRecogniser,
    UnknownTarget,
)

log = logging.getLogger(__name__)
NAME = re.compile(r"[a-z0-9_]{1,40}")
LEAVING = "leaving"
"""A file of this name in a reference's folder: it is on offer no more, and goes once no job wears it."""
GRAVE, DRAFT = ".leaving-", ".draft-"
"""How the names of references begin that are being deleted, and made."""
DRAFT_S = 600
"""After so long nobody is making a reference any more: it takes seconds."""
Objective = Literal["impersonate", "dodge", "both"]


@dataclass(frozen=True)
class StyleOrder:
    """A style to fine-tune: a reference for a target, with one recogniser held out and the surrogates to attack.

    Without surrogates, every other recogniser that may be attacked is one.
    """

    reference: str
    target: str
    held_out: str
    surrogates: tuple[str, ...] = ()
    mode: Mode = "lora"
    objective: Objective = "both"


def check_order(catalog: Catalog, order: StyleOrder) -> StyleOrder:
    """The order with its surrogates, if it can be carried out. Raises UnknownReference, what `refusals` gives first."""
    catalog.reference(order.reference)
    for _, error in refusals(catalog, order):
        raise error
    others = tuple(name for name in catalog.attackable if name != order.held_out)
    return replace(order, surrogates=order.surrogates or others)


def refusals(catalog: Catalog, order: StyleOrder) -> Iterator[tuple[str, StoreError]]:
    """All that speaks against an order, each with the field where it stands: UnknownTarget, UnknownRecogniser,
    HeldOutAttacked, StyleExists. A bundle without recognisers to train with is all there is to say."""
    if not catalog.attackable:
        about = f"the bundle {catalog.name!r} has no recognisers to train with; its faces are refined for any target"
        yield "held_out", UnknownRecogniser(about)
        return
    if not any(card.id == order.target for card in catalog.targets):
        known = ", ".join(card.id for card in catalog.targets)
        yield "target_id", UnknownTarget(f"no target {order.target!r}; this bundle has: {known}")
    surrogates = {f"surrogates.{number}": name for number, name in enumerate(order.surrogates)}
    for field, name in ({"held_out": order.held_out} | surrogates).items():
        if name not in catalog.attackable:
            known = ", ".join(catalog.attackable)
            yield field, UnknownRecogniser(f"no recogniser {name!r} to train with; there are: {known}")
    if order.held_out in order.surrogates:
        yield "held_out", HeldOutAttacked(f"{order.held_out!r} cannot be held out and attacked at once")
    if any((style.reference, style.target) == (order.reference, order.target) for style in catalog.styles):
        about = f"reference {order.reference!r} has a style for target {order.target!r} already"
        yield "target_id", StyleExists(about)


def check_name(catalog: Catalog, name: str) -> None:
    """Whether a new reference may have this id. Raises NameInvalid, ReferenceExists."""
    if not NAME.fullmatch(name):
        raise NameInvalid(f"{name!r} is not an id: 1 to 40 lower-case letters, digits and underscores")
    if any(card.id == name for card in catalog.references):
        raise ReferenceExists(f"there is a reference {name!r} already")


def with_additions(catalog: Catalog, folder: Path | None) -> Catalog:
    """The bundle's catalog with what was added so far; an unreadable addition is left out and logged."""
    if folder is None or not folder.is_dir():
        return catalog
    styles = tuple(style for row, path in _rows(folder, "styles/*.toml") if (style := _style(row, path)) is not None)
    added = tuple(_reference(row, path) for row, path in _rows(folder, "references/*/reference.toml"))
    references = tuple(_with_makeup(card, folder) for card in catalog.references + added)
    return replace(catalog, references=references, styles=catalog.styles + styles)


def remove_reference(catalog: Catalog, folder: Path, name: str) -> None:
    """Take an added reference off the offer; `sweep_leaving` deletes it. Asked for again, nothing happens.

    Raises UnknownReference, ReferenceShipped, OSError.
    """
    with_additions(catalog, folder).reference(name)
    if any(card.id == name for card in catalog.references):
        raise ReferenceShipped(f"the reference {name!r} belongs to the bundle; only added ones can be removed")
    (folder / "references" / name / LEAVING).touch()


def sweep_leaving(folder: Path, in_use: Callable[[], Collection[str]]) -> tuple[list[str], list[str]]:
    """Delete references that are leaving, with their styles: names of those that are gone, and of those still worn.

    in_use: the references of all jobs that wait or run; asked only when there is something to delete.
    Raises OSError, and what `in_use` raises.
    """
    _sweep_halves(folder)
    leaving = sorted(marker.parent for marker in folder.glob(f"references/[!.]*/{LEAVING}"))
    worn = set(in_use()) if leaving else set()
    gone = [reference for reference in leaving if reference.name not in worn]
    for reference in gone:
        for row, path in _rows(folder, "styles/*.toml"):
            if row.get("reference") == reference.name:
                path.unlink(missing_ok=True)  # first: what has none is no style
                path.with_suffix(".safetensors").unlink(missing_ok=True)
        grave = reference.with_name(f"{GRAVE}{reference.name}-{token_hex(4)}")
        with suppress(FileNotFoundError):  # another process was here
            reference.rename(grave)
        shutil.rmtree(grave, ignore_errors=True)
    return [reference.name for reference in gone], [reference.name for reference in leaving if reference.name in worn]


def _sweep_halves(folder: Path) -> None:
    """Delete what a killed process left of references that it was deleting, and of those that it was making."""
    oldest = time() - DRAFT_S
    drafts = (path for path in folder.glob(f"references/{DRAFT}*") if path.stat().st_mtime < oldest)
    for path in (*folder.glob(f"references/{GRAVE}*"), *drafts):
        shutil.rmtree(path, ignore_errors=True)


class Added(TypedDict, total=False):
    """What stands in a `reference.toml`, or on the card of a style; the make-up of a reference alone has no target."""

    title: str
    description: str
    reference: str
    target: str
    held_out: str
    surrogates: list[str]
    mode: Mode
    sha256: str


def _rows(folder: Path, pattern: str) -> Iterator[tuple[Added, Path]]:
    for path in sorted(folder.glob(pattern)):
        if path.parent.name.startswith("."):  # half made, or half deleted
            continue
        try:
            yield cast(Added, tomllib.loads(path.read_text(encoding="utf-8"))), path
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
            log.warning("addition_unreadable: %s", path.name)


def _reference(row: Added, path: Path) -> ReferenceCard:
    name, picture = path.parent.name, path.with_name("look.png")
    is_leaving = path.with_name(LEAVING).exists()
    return ReferenceCard(name, row.get("title", name), row.get("description", ""), picture, is_leaving=is_leaving)


def _with_makeup(card: ReferenceCard, folder: Path) -> ReferenceCard:
    """The card with the make-up alone that was trained for it since, if it had none."""
    makeup = folder / f"styles/{card.id}.safetensors"
    return replace(card, makeup=makeup) if card.makeup is None and makeup.with_suffix(".toml").is_file() else card


def _style(row: Added, path: Path) -> StyleCard | None:
    """None for a reference's make-up alone, which has no target."""
    if "target" not in row:
        return None
    return StyleCard(
        row["reference"], row["target"], row["held_out"], tuple(row["surrogates"]), path.with_suffix(".safetensors"),
        row["mode"], row["sha256"],
    )  # fmt: skip


@contextmanager
def finished(path: Path) -> Iterator[Path]:
    """A temporary path that becomes `path` when the block ends well, and vanishes when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
