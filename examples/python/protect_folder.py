"""Protect every photo of a folder, three at once.

    python protect_folder.py holiday everyday holiday-protected

What is there already is not made again, so it goes on where it was. `diffam protect DIR` is this grown up: it gives
photos of one person different targets, keeps a journal and writes a report (docs/albums.md).
"""

import asyncio
import sys
from pathlib import Path

from diffam_client import AsyncClient, ClientError

AT_ONCE = 3
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


async def protect(service: AsyncClient, photo: Path, look: str, out: Path) -> None:
    """The protected photo is in `out`, whole or not at all. Raises ClientError, OSError."""
    protected = await service.protect(photo, reference=look)
    await service.erase(protected.job)
    partial = out.with_name(f"{out.name}.part")
    partial.write_bytes(protected.photo)
    partial.replace(out)
    print(f"{photo.name}: {', '.join(verdict.word for verdict in protected.verdicts)}")


async def protect_all(photos: list[Path], look: str, out: Path) -> int:
    """How many of them came to nothing; each fails alone."""
    places = asyncio.Semaphore(AT_ONCE)

    async def protect_in_turn(photo: Path) -> bool:
        async with places:
            try:
                await protect(service, photo, look, out / photo.name)
            except (ClientError, OSError) as error:
                print(f"{photo.name}: {error}", file=sys.stderr)
                return False
            return True

    async with AsyncClient() as service:
        went_well = await asyncio.gather(*map(protect_in_turn, photos))
    return went_well.count(False)


def main(folder: Path, look: str, out: Path) -> int:
    """The exit status."""
    out.mkdir(parents=True, exist_ok=True)
    photos = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    missing = [photo for photo in photos if not (out / photo.name).exists()]
    return min(asyncio.run(protect_all(missing, look, out)), 1)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: protect_folder.py FOLDER LOOK OUT")
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])))
