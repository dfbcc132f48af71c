"""The before/after picture: both photos side by side, the scores in the caption."""

import io
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from diffam_core.images import Photo

PANEL_PX = 640
MARGIN_PX = 16
LINE_PX = 24


def _panel(photo: Photo) -> Image.Image:
    image = Image.fromarray(photo)
    scale = PANEL_PX / max(image.size)
    return image.resize(
        (max(1, round(image.width * scale)), max(1, round(image.height * scale))), Image.Resampling.LANCZOS
    )


def caption(face: dict[str, Any]) -> list[str]:
    """What the picture says about a face, a line per fact."""
    scores = face["scores"]
    lines = [
        f"Look {face['reference']}, target {face['target']}.  "
        f"PSNR {scores['psnr_db']:.1f} dB, SSIM {scores['ssim']:.3f}, LPIPS {scores['lpips']:.3f} (face)"
    ]
    for row in face["recognisers"]:
        role = "held out" if row["role"] == "held_out" else "attacked"
        verdict = "owner hidden" if row["dodged"] else "owner still matched"
        if row["impersonated"]:
            verdict += ", matches the target"
        lines.append(
            f"{row['name']} ({role}): own match {row['own_match_before']:.2f} -> {row['own_match']:.2f}, "
            f"target {row['target_match_before']:.2f} -> {row['target_match']:.2f}: {verdict}"
        )
    return lines


def draw_comparison(original: Photo, protected: Photo, face: dict[str, Any]) -> bytes:
    """JPEG with the original left, the protected photo right, the face's scores below."""
    left, right = _panel(original), _panel(protected)
    lines = caption(face)
    font = ImageFont.load_default(size=16)
    needed = max(font.getlength(line) for line in lines)
    width = max(left.width + right.width + 3 * MARGIN_PX, int(needed) + 2 * MARGIN_PX)
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
