"""`diffam protect --undo FILE`: where undo files go, and whose key opens them."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from cli.errors import CliError
from jobs.access.undo_keys import KEY_PATTERN, draw_key, public_of


@dataclass(frozen=True)
class UndoOrder:
    """is_drawn: nobody has the key yet."""

    file: Path
    key: str = field(repr=False)
    is_drawn: bool

    @property
    def public_key(self) -> str:
        """What the files are sealed to."""
        return public_of(self.key)


def undo_order(file: Path | None, said: str, out: Path, is_album: bool) -> UndoOrder | None:
    """What the options ask for. said: a key, a file that holds one, or "". Raises CliError."""
    if file is None:
        if said:
            raise CliError("--undo-key goes with --undo FILE")
        return None
    if is_album:
        raise CliError("--undo is for one photo: name a file, not a folder")
    if out.suffix.lower() != ".png":
        raise CliError("--undo needs an --out that ends in .png: no other format keeps every pixel")
    return UndoOrder(file, key_of(said) if said else draw_key(), is_drawn=not said)


def key_of(said: str) -> str:
    """The key that an option spells, or that lies in the file which it names. Raises CliError, OSError."""
    is_file = not re.fullmatch(KEY_PATTERN, said) and Path(said).is_file()
    text = Path(said).read_text(encoding="ascii", errors="replace").strip() if is_file else said.strip()
    if not re.fullmatch(KEY_PATTERN, text):
        raise CliError("a key has 64 hexadecimal digits; this is neither one nor a file that holds one")
    return text
