"""What a bundle offers, read from `bundle.toml` alone: no weights, no torch, so that the web process may use it."""

import tomllib
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

from model_store.digest import sha256_of
from model_store.errors import (
    BundleDamaged,
    EffortUnavailable,
    RecognisersMissing,
    StyleNotTrained,
    UnknownBundle,
    UnknownReference,
    UnknownTarget,
)
from model_store.manifest import Manifest, RefinementRow, is_of_earlier_version

Mode = Literal["lora", "full"]
BUNDLES = Path(__file__).parent / "bundles"
"""Where the bundles that ship with the project lie."""
PULLED = "celebahq-256"
"""The bundle that `diffam models pull` makes of the published checkpoints."""


@dataclass(frozen=True)
class ReferenceCard:
    """Make-up on offer; `image` shows it worn. `makeup`: weights that only apply it, if trained.

    is_leaving: it was removed, and stays only for jobs that wear it already.
    """

    id: str
    title: str
    description: str
    image: Path
    makeup: Path | None = None
    is_leaving: bool = False


@dataclass(frozen=True)
class TargetCard:
    """An identity that protected faces resemble; always virtual or consenting (`consent` says which)."""

    id: str
    title: str
    consent: str
    image: Path


@dataclass(frozen=True)
class StyleCard:
    """Fine-tuned weights for a reference and a target. `held_out`: the one of the paper's four they never saw.

    is_makeup: they apply the make-up alone, and the face is refined afterwards, away from its owner alone where there
    is no target.
    """

    reference: str
    target: str | None
    held_out: str
    surrogates: tuple[str, ...]
    file: Path
    mode: Mode = "lora"
    sha256: str | None = None
    is_makeup: bool = False

    @property
    def adapter(self) -> str:
        """The name that the weights have in the noise predictor."""
        return self.reference if self.is_makeup else f"{self.reference}-{self.target}"

    @property
    def identity(self) -> str:
        """The target's id. Raises ValueError where there is none."""
        if self.target is None:
            raise ValueError(f"the style of {self.reference!r} has no target")
        return self.target

    def role_of(self, recogniser: str) -> Literal["surrogate", "held_out"]:
        """Say "surrogate" if the style was trained against it, or its faces are refined on it, else "held_out"."""
        return "surrogate" if recogniser in self.surrogates else "held_out"


@dataclass(frozen=True)
class Catalog:
    """A bundle's name, grade and offers. `grade` is "demonstration", "measured" or "production".

    refines: faces are refined after their style, on recognisers that were pulled.
    """

    name: str
    grade: str
    folder: Path
    references: tuple[ReferenceCard, ...]
    targets: tuple[TargetCard, ...]
    styles: tuple[StyleCard, ...]
    recognisers: tuple[str, ...]
    never_attacked: tuple[str, ...] = ()
    refines: bool = False

    @property
    def attackable(self) -> tuple[str, ...]:
        """The recognisers that fine-tuning may attack or hold out; the others only judge."""
        return tuple(name for name in self.recognisers if name not in self.never_attacked)

    def offer(self) -> "Catalog":
        """The same without references that are leaving, and without their styles."""
        leaving = {card.id for card in self.references if card.is_leaving}
        if not leaving:
            return self
        return replace(
            self,
            references=tuple(card for card in self.references if card.id not in leaving),
            styles=tuple(style for style in self.styles if style.reference not in leaving),
        )

    def reference(self, reference: str) -> ReferenceCard:
        """A reference by its id. Raises UnknownReference."""
        for card in self.references:
            if card.id == reference:
                return card
        known = ", ".join(card.id for card in self.references)
        raise UnknownReference(f"no reference {reference!r}; this bundle has: {known}")

    def target(self, target: str) -> TargetCard:
        """An identity by its id. Raises UnknownTarget."""
        for card in self.targets:
            if card.id == target:
                return card
        known = ", ".join(card.id for card in self.targets)
        raise UnknownTarget(f"no target {target!r}; this bundle has: {known}")

    def check_effort(self, effort: str | None) -> None:
        """Whether faces are refined where that is asked for. Raises EffortUnavailable."""
        if effort == "thorough" and not self.refines:
            raise EffortUnavailable(f"the bundle {self.name!r} refines no faces: ask for a quick result")

    def style_for(self, reference: str, target: str | None = None) -> StyleCard:
        """The style of a reference; without a target, the first one fine-tuned for it.

        Raises UnknownReference, UnknownTarget, StyleNotTrained.
        """
        self.reference(reference)
        if target is not None:
            self.target(target)
        for style in self.styles:
            if style.reference == reference and target in (None, style.target):
                return style
        wanted = "any target" if target is None else f"target {target!r}"
        raise StyleNotTrained(
            f"reference {reference!r} has no style for {wanted}; POST /v1/references/{reference}/finetune makes one"
        )


def find_bundle(name: str, shelf: Path) -> Path:
    """The folder of a bundle: on the shelf, else among the shipped ones. Raises UnknownBundle."""
    folders = [shelf / name, BUNDLES / name]
    for folder in folders:
        if (folder / "bundle.toml").is_file():
            return folder
    shelves_read = ", ".join(str(folder.parent) for folder in folders)
    raise UnknownBundle(
        f"no bundle {name!r} in {shelves_read}; `diffam models pull {PULLED}` fetches the published one"
    )


def read_manifest(folder: Path) -> Manifest:
    """The parsed `bundle.toml` of a bundle. Raises UnknownBundle, BundleDamaged."""
    path = folder / "bundle.toml"
    if not path.is_file():
        raise UnknownBundle(f"no bundle at {folder.name!r}: bundle.toml is missing")
    try:
        return cast(Manifest, tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BundleDamaged(f"{folder.name}/bundle.toml cannot be read: {error}") from error


def damaged_files(folder: Path) -> list[str]:
    """What is wrong with a bundle's files, a sentence each; empty when all digests agree."""
    problems = []
    for name, row in read_manifest(folder).get("files", {}).items():
        path = folder / name
        if not path.is_file():
            problems.append(f"{name} is missing")
        elif sha256_of(path) != row["sha256"]:
            problems.append(f"{name} is not the file that the bundle was published with")
    return problems


def read_catalog(folder: Path, pulled: Collection[str] = ()) -> Catalog:
    """The offers of the bundle in `folder`. Raises UnknownBundle, BundleDamaged, RecognisersMissing.

    pulled: recognisers of libraries that are there, for a bundle that refines faces on them.
    """
    manifest = read_manifest(folder)
    if is_of_earlier_version(manifest):
        raise BundleDamaged(
            f"bundle {folder.name!r} was made by an earlier version; remove its folder, and pull or build it again"
        )
    try:
        catalog = Catalog(
            name=manifest["name"],
            grade=manifest["grade"],
            folder=folder,
            references=tuple(
                ReferenceCard(
                    row["id"],
                    row["title"],
                    row["description"],
                    folder / row["image"],
                    folder / row["makeup"] if "makeup" in row else None,
                )
                for row in manifest["references"]
            ),
            targets=tuple(
                TargetCard(row["id"], row["title"], row["consent"], folder / row["images"][0])
                for row in manifest["targets"]
            ),
            styles=tuple(
                StyleCard(
                    row["reference"],
                    row["target"],
                    row["held_out"],
                    tuple(row["surrogates"]),
                    folder / row["file"],
                    row.get("mode", "lora"),
                    row.get("sha256"),
                )
                for row in manifest["styles"]
            ),
            recognisers=tuple(manifest["recognisers"]),
            never_attacked=tuple(manifest.get("never_attacked", ())),
        )
        return _refining(catalog, manifest["refinement"], pulled) if "refinement" in manifest else catalog
    except (KeyError, TypeError, IndexError) as error:
        raise BundleDamaged(f"{folder.name}/bundle.toml lacks {error}") from error


def _refining(catalog: Catalog, row: RefinementRow, pulled: Collection[str]) -> Catalog:
    """The catalog with a style of every reference away from the owner alone, and towards each target without one.

    A trained style that attacks all that are there is not on offer: somebody is always held out.
    """
    if missing := too_few(row, pulled):
        raise RecognisersMissing(f"the bundle {catalog.name!r} {missing}")
    held_out = next((name for name in row["held_out"] if name in pulled), next(iter(pulled)))
    surrogates = tuple(name for name in pulled if name != held_out)
    usable = tuple(style for style in catalog.styles if not set(style.surrogates).issuperset(pulled))
    trained = {(style.reference, style.target) for style in usable}
    made = tuple(
        StyleCard(card.id, target, held_out, surrogates, card.makeup, is_makeup=True)
        for card in catalog.references
        if card.makeup is not None
        for target in (None, *(card.id for card in catalog.targets))
        if (card.id, target) not in trained
    )
    return replace(catalog, styles=made + usable, refines=True)


def too_few(row: RefinementRow, pulled: Collection[str]) -> str:
    """What is wrong with the recognisers that are there, the end of a sentence about a bundle; empty if nothing is."""
    if len(pulled) >= row["least"]:
        return ""
    there = ", ".join(pulled) or "none"
    return (
        f"needs {row['least']} recognisers of libraries, and there is {there}; `diffam models pull recognisers`"
        " fetches them"
    )
