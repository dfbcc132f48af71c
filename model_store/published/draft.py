"""A bundle is changed as a whole: in a copy beside it that takes its place at the very end, or goes."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from model_store.errors import ImportFailed

DRAFT, BEFORE = "draft-", "before"


@contextmanager
def drafted(folder: Path, listing: str = "bundle.toml") -> Iterator[Path]:
    """A copy of the bundle in `folder`, or an empty folder; it becomes `folder` when the block ends well.

    Files are linked and not copied where the disk can: replace them, do not write into them.  listing: the file by
    which a bundle, or another folder of ours, is known.
    Raises ImportFailed when `folder` is something else than a bundle, OSError.
    """
    before = folder.with_name(f".{folder.name}.{BEFORE}")
    if before.exists() and not folder.exists():  # the machine stopped between the two renames below
        before.rename(folder)
    if folder.exists() and not (folder / listing).is_file() and any(folder.iterdir()):
        raise ImportFailed(f"{folder} is no bundle and not empty; name another place for the bundle")
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(mkdtemp(prefix=f".{folder.name}.{DRAFT}", dir=folder.parent))
    try:
        if folder.exists():
            shutil.copytree(folder, draft, copy_function=_link, dirs_exist_ok=True)
        yield draft
        draft.chmod(0o755)
        _put(draft, folder, before)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def about(label: str) -> Iterator[None]:
    """Put a file's name in front of what is wrong with it."""
    try:
        yield
    except ImportFailed as error:
        raise type(error)(f"{label}: {error}") from error


def leftovers(shelf: Path) -> list[Path]:
    """Drafts on a shelf that nobody finished: of imports that run now, or that were killed."""
    return sorted(shelf.glob(f".*.{DRAFT}*"))


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOTSUP):
            raise
        shutil.copy2(source, target)


def _put(draft: Path, folder: Path, before: Path) -> None:
    shutil.rmtree(before, ignore_errors=True)
    is_new = not folder.exists()
    if not is_new:
        folder.rename(before)
    try:
        draft.rename(folder)
    except OSError:
        if not is_new:
            before.rename(folder)
        raise
    shutil.rmtree(before, ignore_errors=True)
