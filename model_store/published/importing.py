"""Makes a bundle of published checkpoints: beside the old one, and only when it is whole in its place."""

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import tomli_w
import torch
from safetensors.torch import save_file
from torch import Tensor

from model_store.additions import StyleOrder, check_order, finished
from model_store.bundle import style_name
from model_store.catalog import read_catalog, read_manifest
from model_store.digest import sha256_of
from model_store.errors import CheckpointConflict, CheckpointDamaged, CheckpointUnknown, ImportIncomplete
from model_store.manifest import FileRow, Manifest, StyleRow
from model_store.published import layouts, manifest
from model_store.published.detector import check_detector
from model_store.published.draft import about, drafted
from model_store.published.layouts import Layout
from model_store.published.pieces import DETECTOR_SUFFIX, Piece, find_pieces
from model_store.published.reading import read_state
from model_store.published.references import write_references, write_targets
from model_store.published.sources import Sources, read_sources

Recognise = Callable[[Mapping[str, tuple[int, ...]]], Layout]
OnPiece = Callable[[str, int, int], None]
"""`on_piece(label, done, pieces)`, before each."""
FORMAT = 1


@dataclass(frozen=True)
class StyleFile:
    """A fine-tuned checkpoint of the noise predictor, and what its trainer made it for."""

    path: Path
    reference: str
    target: str
    held_out: str


@dataclass
class _Draft:
    """The bundle as it grows: its manifest, and which file came from what in this import."""

    folder: Path
    sources: Sources
    recognise: Recognise
    rows: Manifest
    made: dict[str, str] = field(default_factory=dict)

    def note(self, name: str, part: str, original: str = "", original_sha256: str = "") -> None:
        """Put a file of the folder onto the manifest's list, with the published file that it was made of."""
        known = self.sources.parts[part]
        row = FileRow(sha256=sha256_of(self.folder / name), licence=known.licence.title, source=known.source)
        if original:
            row |= {"original": original, "original_sha256": original_sha256}
        self.rows["files"][name] = row


def import_checkpoints(
    paths: Iterable[Path],
    folder: Path,
    on_piece: OnPiece = lambda *_: None,
    style: StyleFile | None = None,
    recognise: Recognise = layouts.recognise,
) -> dict[str, str]:
    """Make or complete the bundle in `folder` from files, folders and archives; everything is told by its content.

    Returns where each new file came from; published networks that nothing here reads are left out. What the bundle had
    and was not given anew stays. On any error nothing changes.  Raises ImportFailed (each kind says what to do),
    UnknownReference, UnknownTarget, UnknownRecogniser, StyleExists, OSError.
    """
    pieces = find_pieces(paths)
    with drafted(folder) as place:
        draft = _Draft(place, read_sources(), recognise, _rows(place))
        checkpoints = [piece for piece in pieces if piece.shelf is None]
        for done, piece in enumerate(checkpoints):
            on_piece(piece.label, done, len(checkpoints))
            with about(piece.label), piece.opened(place) as path:
                _add_network(draft, piece, path)
        _add_pictures(draft, pieces)
        _check_complete(draft)
        _write_manifest(draft, folder.name)
        if style is not None:
            with about(style.path.name):
                _add_style(draft, style)
            _write_manifest(draft, folder.name)
        return draft.made


def _rows(place: Path) -> Manifest:
    """The manifest as it was, the operator's own rows included."""
    empty: Manifest = {"references": [], "targets": [], "styles": [], "files": {}}
    return empty | read_manifest(place) if (place / "bundle.toml").is_file() else empty


def _read(draft: _Draft, path: Path) -> tuple[Layout, dict[str, Tensor]]:
    """A checkpoint as the state dict of our network. Raises ImportFailed."""
    state = read_state(path)
    layout = draft.recognise({key: tuple(value.shape) for key, value in state.items()})
    weights = layout.convert(state)
    for key, value in weights.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise CheckpointDamaged(f"{key} holds values that are no numbers; download the file again")
    return layout, weights


def _save(weights: dict[str, Tensor], path: Path) -> None:
    with finished(path) as partial:  # a new file: the old name may be a link to the bundle in use
        save_file({key: value.clone(memory_format=torch.contiguous_format) for key, value in weights.items()}, partial)


def _add_network(draft: _Draft, piece: Piece, path: Path) -> None:
    digest = sha256_of(path)
    fresh = draft.folder / ".fresh"
    if piece.path.suffix.lower() == DETECTOR_SUFFIX:
        check_detector(path)
        name = manifest.DETECTOR_FILE
        shutil.copyfile(path, fresh)
    else:
        layout, weights = _read(draft, path)
        if (used := _file_of(layout, piece, digest)) is None:
            return
        name = used
        _save(weights, fresh)
    earlier = draft.made.get(name)
    if earlier and sha256_of(fresh) != draft.rows["files"][name]["sha256"]:
        raise CheckpointConflict(
            f"this and {earlier} are two different files for {name}; leave one of them out, or, if one is a fine-tuned "
            "unet, name it with --style"
        )
    fresh.replace(draft.folder / name)
    draft.made[name] = piece.label
    draft.note(name, Path(name).stem, original=piece.label, original_sha256=digest)


def _file_of(layout: Layout, piece: Piece, digest: str) -> str | None:
    """The bundle's file for a checkpoint; None for those that nothing reads.

    IRSE50 comes twice in one layout, as a recogniser and as the identity network: digest, else name, tells them apart.
    """
    is_identity = digest == manifest.IDENTITY_SHA256 or piece.path.name == manifest.IDENTITY_NAME
    return None if layout.name == "irse50" and is_identity else manifest.FILES.get(layout.name)


def _add_pictures(draft: _Draft, pieces: list[Piece]) -> None:
    references, targets = write_references(pieces, draft.folder), write_targets(pieces, draft.folder)
    draft.rows["references"] = list({row["id"]: row for row in (*draft.rows["references"], *references)}.values())
    draft.rows["targets"] = list({row["id"]: row for row in (*draft.rows["targets"], *targets)}.values())
    pictures = [("references", row["title"], [row["image"], row["bare"], *row["masks"].values()]) for row in references]
    pictures += [("targets", row["title"], row["images"]) for row in targets]
    for part, title, names in pictures:
        for name in names:
            draft.made[name] = title
            draft.note(name, part)


def _check_complete(draft: _Draft) -> None:
    lacking = manifest.missing_parts(draft.rows["files"])
    if not draft.rows["targets"]:
        lacking.append("targets")
    if lacking:
        raise ImportIncomplete(
            f"a bundle needs more than these files: {'; '.join(draft.sources.whereabouts(part) for part in lacking)}. "
            "Nothing was written; name all of them in one import"
        )


def _add_style(draft: _Draft, style: StyleFile) -> None:
    catalog = read_catalog(draft.folder)
    order = check_order(catalog, StyleOrder(style.reference, style.target, style.held_out, mode="full"))
    layout, weights = _read(draft, style.path)
    if manifest.FILES.get(layout.name) != manifest.UNET_FILE:
        raise CheckpointUnknown(f"this is {layout.name}; a style must be a fine-tuned {manifest.UNET_FILE}")
    name = f"styles/{style_name(order.reference, order.target)}.safetensors"
    _save(weights, draft.folder / name)
    draft.made[name] = style.path.name
    draft.note(name, "styles", original=style.path.name, original_sha256=sha256_of(style.path))
    row: StyleRow = {
        "reference": order.reference, "target": order.target, "held_out": order.held_out,
        "surrogates": list(order.surrogates), "mode": order.mode, "file": name,
        "sha256": draft.rows["files"][name]["sha256"],
    }  # fmt: skip
    draft.rows["styles"].append(row)


def _write_manifest(draft: _Draft, name: str) -> None:
    own: Manifest = {"name": name, "grade": manifest.GRADE, "format": FORMAT}
    networks = manifest.network_rows(draft.rows["files"])
    table = own | networks | draft.rows
    table["recognisers"] = networks["recognisers"] | draft.rows.get("recognisers", {})
    if manifest.DETECTOR_FILE in draft.made:
        table["detector"] = networks["detector"]
    with finished(draft.folder / "bundle.toml") as partial:
        partial.write_text(tomli_w.dumps(table), encoding="utf-8")
