"""What is neither a photo nor unknown: GIFs, films and sound, told by their first bytes."""

import re

FILM = re.compile(
    rb"GIF8[79]a|ID3|\xff[\xfb\xf3\xf2]|OggS|fLaC|\x1aE\xdf\xa3|RIFF....(WAVE|AVI )"
    rb"|....ftyp(iso[2-9m]|mp4[12]|avc1|M4[AVBP] |qt  |3g[p2].|MSNV|dash)",
    re.DOTALL,
)
TYPE = re.compile(r"(video|audio)/[a-z0-9.+-]{1,60}|image/gif")


def is_film(start: bytes) -> bool:
    """Whether a file begins like one. A picture that is merely damaged does not."""
    return FILM.match(start) is not None


def type_of(told: str | None) -> str:
    """Its media type as its sender tells it, where that is one of such a file."""
    told = (told or "").partition(";")[0].strip().lower()
    return told if TYPE.fullmatch(told) else "application/octet-stream"
