"""The before/after picture: both photos side by side, the scores in the caption."""

import io
import textwrap
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from diffam_client.contract.report import FaceReport, Judgement, Match, ProtectedFace, protected
from diffam_core.images import Photo

PANEL_PX = 640
MARGIN_PX = 16
LINE_PX = 24
MIN_WIDTH_PX = 900


Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def _wrapped(line: str, font: Font, room_px: float) -> list[str]:
    """The line in pieces that fit."""
    characters = max(20, int(len(line) * room_px / max(font.getlength(line), 1)) - 4)
    return textwrap.wrap(line, characters, subsequent_indent="    ")


def _panel(photo: Photo) -> Image.Image:
    height, width = photo.shape[:2]
    scale = PANEL_PX / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    while max(photo.shape) > 4 * PANEL_PX:  # halving is much quicker than other ratios
        half = ((photo.shape[1] + 1) // 2, (photo.shape[0] + 1) // 2)
        photo = cv2.resize(photo, half, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    shrunk = cv2.resize(photo, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    return Image.fromarray(shrunk.astype(np.uint8))


def caption(faces: Sequence[FaceReport]) -> list[str]:
    """What the picture says: every number about a single face, a verdict each about several."""
    made_up = protected(faces)
    if len(made_up) == 1:
        return _details(made_up[0])
    return [
        f"Face {face.index}: {face.verdict.word}. {face.verdict.sentence}"
        if isinstance(face, ProtectedFace)
        else f"Face {face.index}: left alone. {face.reason}"
        for face in faces
    ]


def _whither(target: str | None) -> str:
    return "away from the owner" if target is None else f"target {target}"


def _details(face: ProtectedFace) -> list[str]:
    scores = face.scores
    lines = [
        f"{face.verdict.word.capitalize()}: {face.verdict.sentence}",
        f"Look {face.reference} at strength {face.strength:g}, {_whither(face.target)}.  "
        f"PSNR {scores.psnr_db:.1f} dB, SSIM {scores.ssim:.3f}, LPIPS {scores.lpips:.3f} (face)",
    ]
    lines += [_matched(match) for match in face.recognisers]
    return lines + ([] if face.recognisers else [_judged(judge) for judge in face.judges])


def _matched(match: Match) -> str:
    return (
        f"{match.name} ({_role(match)}): own match {match.own_match_before:.2f} -> {match.own_match:.2f}, "
        f"target {match.target_match_before:.2f} -> {match.target_match:.2f}: {_fooled(match)}"
    )


def _judged(judge: Judgement) -> str:
    return f"{judge.name} ({_role(judge)}): own match {judge.own_match:.2f}: {_fooled(judge)}"


def _role(match: Match | Judgement) -> str:
    return "held out" if match.role == "held_out" else "attacked"


def _fooled(match: Match | Judgement) -> str:
    owner = "owner hidden" if match.dodged else "owner still matched"
    return owner + (", matches the target" if match.impersonated else "")


def draw_comparison(original: Photo, finished: Photo, faces: Sequence[FaceReport]) -> bytes:
    """JPEG with the original left, the finished photo right, what became of the faces below."""
    left, right = _panel(original), _panel(finished)
    font = ImageFont.load_default(size=16)
    width = max(left.width + right.width + 3 * MARGIN_PX, MIN_WIDTH_PX)
    room = width - 2 * MARGIN_PX
    lines = [part for line in caption(faces) for part in _wrapped(line, font, room)]
    top = MARGIN_PX + LINE_PX
    height = top + left.height + MARGIN_PX + LINE_PX * len(lines) + MARGIN_PX
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    gap = (width - left.width - right.width) // 3
    for x, panel, title in ((gap, left, "Before"), (2 * gap + left.width, right, "After")):
        draw.text((x, MARGIN_PX // 2 + 2), title, fill="black", font=font)
        sheet.paste(panel, (x, top))
    for index, line in enumerate(lines):
        draw.text((MARGIN_PX, top + left.height + MARGIN_PX + index * LINE_PX), line, fill="black", font=font)
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
