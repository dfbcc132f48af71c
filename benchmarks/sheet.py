"""A contact sheet of people whom no training saw, before and after, each in a look.

    python -m benchmarks.sheet PEOPLE --out FILE.jpg [--faces 12] [--references everyday,evening] [--effort thorough]
        [--seed 0]

PEOPLE is the folder with `ai` in it, people that no camera saw: of them alone, and of those held out, so that nobody
real is ever on a sheet. The looks take turns.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from rich.console import Console

from benchmarks.pairs import Pair, head_of, open_served, pairs_of, unseen_photos, wished
from jobs.settings import Settings

MADE_BY_A_MODEL = "ai"
CREDIT = "People: made by Stable Diffusion 3, CC0, github.com/faker-js/assets-person-portrait. Nobody real."
PANEL_PX, GAP_PX, LINE_PX, ACROSS = 192, 8, 22, 3
"""Side of a head, between heads, height of a line of text, and how many pairs are in a row."""
QUALITY = 90
console = Console(highlight=False, soft_wrap=True)


def draw_sheet(pairs: Sequence[Pair]) -> Image.Image:
    """All pairs, the original left and the look's name below, and whence the people are."""
    font = ImageFont.load_default(size=15)
    down = -(-len(pairs) // ACROSS)
    wide, high = 2 * PANEL_PX + 2 * GAP_PX, PANEL_PX + LINE_PX + GAP_PX
    sheet = Image.new("RGB", (ACROSS * wide + GAP_PX, down * high + LINE_PX + GAP_PX), "white")
    draw = ImageDraw.Draw(sheet)
    for index, pair in enumerate(pairs):
        x, y = GAP_PX + index % ACROSS * wide, GAP_PX + index // ACROSS * high
        for left, photo, told in ((x, pair.original, "before"), (x + PANEL_PX, pair.finished, pair.reference)):
            sheet.paste(Image.fromarray(head_of(photo, pair.face, PANEL_PX)), (left, y))
            draw.text((left + 2, y + PANEL_PX + 1), told, fill="black", font=font)
    draw.text((GAP_PX, sheet.height - LINE_PX), CREDIT, fill="black", font=font)
    return sheet


def main(arguments: Sequence[str] | None = None) -> None:
    """Protect, draw, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("people", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--faces", type=int, default=12)
    parser.add_argument("--references", default="everyday,evening")
    parser.add_argument("--effort", choices=("quick", "thorough"), default="thorough")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(arguments)
    folder = asked.people / MADE_BY_A_MODEL
    if not folder.is_dir():
        raise SystemExit(f"sheets show people that no camera saw, and there is no folder {folder}")
    wishes = [wished(reference, asked.effort) for reference in asked.references.split(",")]
    photos = unseen_photos(folder)
    pairs = list(pairs_of(open_served(Settings()), photos, wishes, asked.faces, asked.seed))
    if not pairs:
        raise SystemExit(f"nobody in {folder} could be protected")
    draw_sheet(pairs).save(asked.out, "JPEG", quality=QUALITY)
    console.print(f"{asked.out}: {len(pairs)} people, {asked.out.stat().st_size // 1000} KB")


if __name__ == "__main__":
    main()
