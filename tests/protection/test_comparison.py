"""The before/after picture says what the report says, within its edges."""

from io import BytesIO

import numpy as np
from PIL import Image

from diffam_client.contract.report import FaceReport, Verdict
from protection.comparison import MIN_WIDTH_PX, caption, draw_comparison
from tests.finished import match, protected_face, seen_face

STRONG = Verdict(word="strong", sentence="vit no longer recognises the owner in this photo.")
MATCHES = [
    match(name="vit", role="held_out", own_match=0.12, target_match=0.5, impersonated=True),
    match(name="resnet", own_match=0.4, dodged=False, impersonated=False),
]


def opened(picture: bytes) -> Image.Image:
    image = Image.open(BytesIO(picture))
    image.load()
    return image


def test_a_single_face_is_told_with_every_number() -> None:
    verdict, worn, held_out, attacked = caption([protected_face(verdict=STRONG, recognisers=MATCHES, strength=0.6)])
    assert verdict == "Strong: vit no longer recognises the owner in this photo."
    assert "Look rose at strength 0.6, target ada." in worn
    assert "PSNR 30.0 dB, SSIM 0.900, LPIPS 0.100" in worn
    assert held_out.startswith("vit (held out): own match 1.00 -> 0.12, target -0.05 -> 0.50")
    assert held_out.endswith("owner hidden, matches the target")
    assert attacked.startswith("resnet (attacked)")
    assert attacked.endswith("owner still matched")


def test_of_several_faces_each_has_its_verdict_or_why_it_was_left_alone() -> None:
    alone = seen_face(index=1, status="left_alone", code="face_not_chosen", reason="It was not chosen.")
    faces: list[FaceReport] = [protected_face(verdict=STRONG), alone, protected_face(index=2)]
    assert caption(faces) == [
        f"Face 0: strong. {STRONG.sentence}",
        "Face 1: left alone. It was not chosen.",
        "Face 2: weak. resnet still recognises the owner in this photo.",
    ]


def test_who_was_left_alone_beside_a_single_protected_face_takes_no_line() -> None:
    alone = seen_face(index=1, status="left_alone", code="face_not_chosen", reason="It was not chosen.")
    assert not any("left alone" in line for line in caption([protected_face(), alone]))


def test_before_is_left_of_after() -> None:
    dark, light = np.full((300, 200, 3), 20, dtype=np.uint8), np.full((300, 200, 3), 200, dtype=np.uint8)
    picture = opened(draw_comparison(dark, light, [protected_face()]))
    assert (picture.format, picture.width >= MIN_WIDTH_PX) == ("JPEG", True)
    row = np.asarray(picture.convert("L"))[300]
    assert (
        np.abs(np.argwhere(np.abs(row.astype(int) - 20) < 8)).max()
        < np.argwhere(np.abs(row.astype(int) - 200) < 8).min()
    )


def test_a_long_sentence_is_wrapped_and_the_picture_grows_with_it() -> None:
    photo = np.full((300, 300, 3), 90, dtype=np.uint8)
    short = opened(draw_comparison(photo, photo, [protected_face()]))
    sentence = "; ".join(["a recogniser of a very long name still recognises the owner in this photo"] * 6)
    verdict = Verdict(word="weak", sentence=sentence)
    long = opened(draw_comparison(photo, photo, [protected_face(verdict=verdict)]))
    assert (long.width, long.height > short.height) == (short.width, True)
    edge = np.asarray(long.convert("L"))[:, -8:]
    assert edge.min() > 200  # nothing runs over the edge
