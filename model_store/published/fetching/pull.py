"""Fetches the published files that can be fetched, and says which ones only a person can."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from model_store.digest import sha256_of
from model_store.errors import DownloadDamaged, DownloadFailed
from model_store.published.fetching.download import PAUSE_S
from model_store.published.fetching.packages import fetch, packages_of
from model_store.published.sources import Source, Sources

OnFile = Callable[[Source, int, int | None], None]
"""`on_file(source, done_bytes, total_bytes)`; the total may be unknown."""
Failure = DownloadFailed | DownloadDamaged


@dataclass(frozen=True)
class Pulled:
    """What a pull left to do: files that only the user can fetch, and why others could not be fetched.

    lacking: the parts of which a file was to be fetched and is not there, in the table's order.
    is_complete: nothing that a bundle needs is left.
    """

    by_hand: tuple[Source, ...]
    failures: tuple[Failure, ...]
    lacking: tuple[str, ...]
    is_complete: bool


def pull(
    sources: Sources, folder: Path, on_file: OnFile = lambda *_: None, with_optional: bool = False,
    pause_s: float = PAUSE_S,
) -> Pulled:  # fmt: skip
    """Fetch into `folder` what is not there yet; one file that fails does not stop the others.

    Raises DownloadDamaged for a file put there by hand that is not the published one, DiskFull, OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _check_placed(sources, folder)
    waiting: list[Source] = []
    failures: list[Failure] = []
    lacking: set[str] = set()
    is_complete = True
    with packages_of(folder) as packages:

        def get(source: Source) -> None:
            fetch(source, folder, packages, partial(on_file, source), pause_s)

        for files in sources.alternatives():
            is_needed = not all(source.optional for source in files)
            wanted = [source for source in files if source.by_hand or is_needed or with_optional]
            failed = _first(wanted, folder, get)
            if failed is not None:
                failures += failed
                lacking |= {part for source in wanted for part in source.gives}
                waiting += [source for source in files if source.by_hand]
                is_complete &= not is_needed
    parts = tuple(part for part in sources.parts if part in lacking)
    return Pulled(tuple(waiting), tuple(failures), parts, is_complete)


def _first(files: list[Source], folder: Path, get: Callable[[Source], None]) -> list[Failure] | None:
    """Get the first of files that stand in for each other; what was wrong with all of them, or None if one is there.

    One that is there already comes first, even a stand-in: two of a kind would be in conflict.
    """
    failures: list[Failure] = []
    for source in sorted(files, key=lambda source: not (folder / source.name).is_file()):
        if source.by_hand:
            if (folder / source.name).is_file():
                return None
            continue
        try:
            get(source)
        except (DownloadFailed, DownloadDamaged) as error:
            failures.append(error)
        else:
            return None
    return failures


def _check_placed(sources: Sources, folder: Path) -> None:
    """Files put there by hand, where a digest was published."""
    for source in sources.files:
        path = folder / source.name
        if source.by_hand and source.sha256 and path.is_file() and not source.is_digest(sha256_of(path)):
            raise DownloadDamaged(
                f"{path} is not the published {source.name}: another digest; delete it and fetch it again from "
                f"{source.by_hand}, or, if you trust it, name it to `diffam models import`"
            )
