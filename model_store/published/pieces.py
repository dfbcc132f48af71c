"""Finds what may belong to a bundle in files, folders and archives; what is what is told by content elsewhere."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from model_store.errors import CheckpointDamaged, CheckpointUnknown
from model_store.published.archive import members, unpacked
from model_store.published.reading import CHECKPOINT_SUFFIXES, READERS, kind_of

PICTURE_SUFFIXES = (".jpeg", ".jpg", ".png")
PICTURE_FOLDERS = ("pairs", "target", "test")
"""Where the authors' assets keep references, the pictures to aim at and those to test with."""
DETECTOR_SUFFIX = ".onnx"


@dataclass(frozen=True)
class Piece:
    """A file, or a member of an archive; `path` is where it lies there, `label` how people are told of it."""

    label: str
    path: PurePosixPath
    file: Path
    member: str | None = None

    def opened(self, scratch: Path) -> AbstractContextManager[Path]:
        """A path to its content while the block lasts; members are unpacked in `scratch`. Raises CheckpointDamaged."""
        return nullcontext(self.file) if self.member is None else unpacked(self.file, self.member, scratch)

    @property
    def shelf(self) -> str | None:
        """Which of `PICTURE_FOLDERS` it is a picture of, if any."""
        is_picture = self.path.suffix.lower() in PICTURE_SUFFIXES and self.path.parent.name in PICTURE_FOLDERS
        return self.path.parent.name if is_picture else None


def find_pieces(paths: Iterable[Path]) -> list[Piece]:
    """Every checkpoint, picture and detector in `paths`; other files in folders and archives are passed over.

    Raises CheckpointUnknown for a file that was named itself and is none of these, CheckpointDamaged, ArchiveUnsafe,
    OSError.
    """
    pieces: list[Piece] = []
    for path in paths:
        if path.is_dir():
            for file in sorted(file for file in path.rglob("*") if file.is_file()):
                inside = PurePosixPath(*file.relative_to(path).parts)
                if not _is_hidden(inside):
                    pieces += _pieces_of(file, path.resolve().name / inside)
        else:
            found = list(_pieces_of(path, PurePosixPath(path.name)))
            if not found:
                raise CheckpointUnknown(
                    f"{path.name} holds nothing for a bundle; name a checkpoint, the authors' assets.zip or a folder"
                )
            pieces += found
    return pieces


def _is_hidden(path: PurePosixPath) -> bool:
    """Whether it is an operating system's own note."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def _pieces_of(file: Path, path: PurePosixPath) -> Iterator[Piece]:
    piece = Piece(str(path), path, file)
    suffix = path.suffix.lower()
    if piece.shelf or suffix == DETECTOR_SUFFIX:
        yield piece
    elif suffix not in PICTURE_SUFFIXES and suffix != ".partial":
        kind = kind_of(file)
        if kind == "zip":
            yield from _members_of(file)
        elif kind == "cut" and suffix == ".zip":
            raise CheckpointDamaged(f"{path}: the archive ends too early; download it again")
        elif kind in READERS or suffix in (*CHECKPOINT_SUFFIXES, ".zip"):
            yield piece


def _members_of(file: Path) -> Iterator[Piece]:
    for member in members(file):
        path = PurePosixPath(member.filename)
        piece = Piece(f"{file.name}: {path}", path, file, member.filename)
        if not _is_hidden(path) and (piece.shelf or path.suffix.lower() in (*CHECKPOINT_SUFFIXES, DETECTOR_SUFFIX)):
            yield piece
