"""Fetches the published files that can be fetched, and says which ones only a person can."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from model_store.digest import sha256_of
from model_store.errors import DownloadDamaged, DownloadFailed
from model_store.published.download import PAUSE_S, download
from model_store.published.sources import Source, Sources

OnFile = Callable[[Source, int, int | None], None]
"""`on_file(source, done_bytes, total_bytes)`; the total may be unknown."""


@dataclass(frozen=True)
class Pulled:
    """What a pull left to do: files that only the user can fetch, and why others could not be fetched.

    is_complete: nothing that a bundle needs is left.
    """

    by_hand: tuple[Source, ...]
    failures: tuple[DownloadFailed | DownloadDamaged, ...]
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
    failures: dict[str, DownloadFailed | DownloadDamaged] = {}
    for source in sources.files:
        if source.by_hand or (source.optional and not with_optional):
            continue
        if source.instead_of and source.instead_of not in failures:
            continue
        if not (folder / source.name).is_file() and _stands_in(sources, source, folder):
            continue
        try:
            download(source, folder, partial(on_file, source), pause_s)
        except (DownloadFailed, DownloadDamaged) as error:
            failures[source.name] = error
        else:
            failures.pop(source.instead_of or source.name, None)
    waiting = tuple(source for source in sources.files if source.by_hand and not (folder / source.name).is_file())
    optional = {source.name for source in sources.files if source.optional}
    left = failures.keys() | {source.name for source in waiting}
    return Pulled(waiting, tuple(failures.values()), left <= optional)


def _stands_in(sources: Sources, source: Source, folder: Path) -> bool:
    """Whether an earlier pull could not get the file and fetched its stand-in: two of a kind would be in conflict."""
    return any(other.instead_of == source.name and (folder / other.name).is_file() for other in sources.files)


def _check_placed(sources: Sources, folder: Path) -> None:
    """Files put there by hand, where a digest was published."""
    for source in sources.files:
        path = folder / source.name
        if source.by_hand and source.sha256 and path.is_file() and not source.is_digest(sha256_of(path)):
            raise DownloadDamaged(
                f"{path} is not the published {source.name}: another digest; delete it and fetch it again from "
                f"{source.by_hand}, or, if you trust it, name it to `diffam models import`"
            )
