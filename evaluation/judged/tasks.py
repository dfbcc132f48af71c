"""What a bundle that refines is measured with: a style for each recogniser that is held out in turn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from evaluation.method import Method
from model_store.catalog import Catalog, StyleCard
from model_store.errors import StyleNotTrained


@dataclass(frozen=True)
class Selection:
    """Which tasks are measured: references, targets, recognisers that are held out; None means all that there are.

    Where faces are refined, the first reference alone without any, and faces flee from their owners without a target.
    """

    references: Sequence[str] | None = None
    targets: Sequence[str] | None = None
    held_out: Sequence[str] | None = None


def tasks_of(catalog: Catalog, chosen: Selection, judges: Sequence[str]) -> tuple[StyleCard, ...]:
    """The bundle's styles; where it refines, a style held out from each of the judges in turn.

    Raises UnknownReference, UnknownTarget, StyleNotTrained.
    """
    if not catalog.refines:
        tasks = tuple(style for style in catalog.styles if _is_chosen(style, chosen))
    else:
        targets: Sequence[str | None] = chosen.targets or [None]
        references = chosen.references or [catalog.references[0].id]
        styles = [catalog.style_for(reference, target) for reference in references for target in targets]
        held_out = judges if chosen.held_out is None else chosen.held_out
        tasks = tuple(task for style in styles for name in held_out if (task := holding_out(style, name, judges)))
    if not tasks:
        wanted = {"looks": chosen.references, "targets": chosen.targets, "held-out recognisers": chosen.held_out}
        told = "; ".join(f"{kind} {', '.join(names)}" for kind, names in wanted.items() if names)
        raise StyleNotTrained(f"no style of {catalog.name!r} can be measured for: {told or 'anything'}")
    return tasks


def _is_chosen(style: StyleCard, chosen: Selection) -> bool:
    pairs = ((style.reference, chosen.references), (style.target, chosen.targets), (style.held_out, chosen.held_out))
    return all(names is None or value in names for value, names in pairs)


def holding_out(style: StyleCard, name: str, judges: Sequence[str]) -> StyleCard | None:
    """The style with another recogniser held out; None for one that was trained against it."""
    if style.is_makeup:
        return replace(style, held_out=name, surrogates=tuple(judge for judge in judges if judge != name))
    return None if name in style.surrogates else replace(style, held_out=name)


def out_of_reach(catalog: Catalog, tasks: Sequence[StyleCard], methods: Mapping[str, Method]) -> dict[str, str]:
    """The methods that these tasks leave nothing to measure with, and why."""
    references = {task.reference for task in tasks}
    alone = [name for name in references if catalog.reference(name).makeup is None]
    trained = {name: {s.target for s in catalog.styles if s.reference == name} - {None} for name in references}
    single = [name for name, targets in trained.items() if len(targets) == 1]
    is_fleeing = any(task.target is None for task in tasks)
    reasons = {
        "makeup": alone and f"no style without a target is trained for {', '.join(sorted(alone))}",
        "quick": all(task.is_makeup for task in tasks) and "a quick result is the make-up alone, 'makeup'",
        "wrong_identity": single and f"only one target is trained for {', '.join(sorted(single))}",
    }
    if is_fleeing:
        reasons |= dict.fromkeys(("wrong_identity", "tint"), "it is for a target; name one with --target")
    if not catalog.refines:
        reasons |= dict.fromkeys(("quick", "refinement"), f"the bundle {catalog.name!r} refines no faces")
    return {name: reason for name, reason in reasons.items() if reason and name in methods}
