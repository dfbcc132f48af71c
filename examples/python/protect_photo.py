"""Protect one photo, and watch it being done: `me-protected.jpg` lies beside it then.

    python protect_photo.py me.jpg everyday

The service is the one at DIFFAM_SERVER, with the key in DIFFAM_API_KEY; else one on this machine.
"""

import sys
from pathlib import Path

from diffam_client import Client, ClientError, Event


def show(event: Event) -> None:
    """How far it is, and what is being done."""
    if event.progress:
        print(f"{event.progress.fraction:4.0%} {event.progress.stage}", file=sys.stderr)


def protect(photo: Path, look: str, out: Path) -> None:
    """The protected photo is in `out`, what became of each face on the screen, and nothing is left at the service."""
    with Client() as service:
        protected = service.protect(photo, show, reference=look)
        protected.save(out)
        service.erase(protected.job)
    for face in protected.faces:
        if face.status == "protected":
            print(f"Face {face.index}: {face.verdict.word}. {face.verdict.sentence}")
        else:
            print(f"Face {face.index} was left alone. {face.reason}")


def main(photo: Path, look: str) -> None:
    """Says what went wrong, if something did."""
    out = photo.with_stem(f"{photo.stem}-protected")
    if out.exists():
        sys.exit(f"{out} is there already, and stays as it is")
    try:
        protect(photo, look, out)
    except (ClientError, OSError, ValueError) as error:  # ValueError: the photo is named as what it is not
        sys.exit(str(error))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: protect_photo.py PHOTO LOOK")
    main(Path(sys.argv[1]), sys.argv[2])
