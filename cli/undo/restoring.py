"""`diffam undo PROTECTED --with FILE --key KEY --out ORIGINAL.png`: the original pixels, or nothing and why."""

from pathlib import Path

from rich.console import Console

from cli.errors import CliError
from cli.undo.sealing import key_of
from model_store.additions import finished


def undo_photo(console: Console, photo: Path, undo_file: Path, key: str, out: Path) -> None:
    """Write the original of the protected `photo` to `out`. Raises CliError, PhotoUnreadable, OSError."""
    if out.suffix.lower() != ".png":
        raise CliError("--out must end in .png: no other format keeps every pixel")
    if not out.parent.is_dir():
        raise CliError(f"there is no folder {out.parent}")
    said = key_of(key)
    from diffam_core.images import decode_rgba, encode_photo
    from protection.undo import UndoError, restore

    protected, alpha = decode_rgba(photo.read_bytes())
    try:
        original = restore(protected, alpha, undo_file.read_bytes(), said)
    except UndoError as error:
        raise CliError(f"Nothing was written: {error}") from error
    with finished(out) as partial:
        partial.write_bytes(encode_photo(original, "png", alpha=alpha))
    console.print(f"Saved {out}: the original pixels, to the last bit", soft_wrap=True)
