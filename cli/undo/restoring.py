"""`diffam undo PROTECTED --with FILE --key KEY --out ORIGINAL.png`: the original pixels, or nothing and why."""

import os
import tempfile
from pathlib import Path

from rich.console import Console

from cli.errors import CliError
from cli.undo.sealing import key_of


def undo_photo(console: Console, photo: Path, undo_file: Path, key: str, out: Path) -> None:
    """Write the original of the protected `photo` to `out`. Raises CliError, PhotoUnreadable, OSError."""
    if out.suffix.lower() != ".png":
        raise CliError("--out must end in .png: no other format keeps every pixel")
    said = key_of(key)
    from diffam_core.images import decode_rgba, encode_photo
    from protection.undo import UndoError, restore

    protected, alpha = decode_rgba(photo.read_bytes())
    try:
        original = restore(protected, alpha, undo_file.read_bytes(), said)
    except UndoError as error:
        raise CliError(f"Nothing was written: {error}") from error
    _write_whole(out, encode_photo(original, "png", alpha=alpha))
    console.print(f"Saved {out}: the original pixels, to the last bit", soft_wrap=True)


def _write_whole(path: Path, content: bytes) -> None:
    """All of it or nothing, also where the disk is full."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
