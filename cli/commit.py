"""Which state of this repository is at work."""

import subprocess
from pathlib import Path


def commit() -> str:
    """The commit at work, with "+changes" when the tree is not what was committed; "unknown" outside git."""
    git = ["git", "-C", str(Path(__file__).parent)]
    head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    dirty = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=False)
    return "unknown" if head.returncode else head.stdout.strip() + ("+changes" if dirty.stdout.strip() else "")
