"""What happens to a finished photo before anybody looks, as data; `docs/journey/score.md` has what it imitates."""

import io
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from PIL import Image

from diffam_client.contract.wish import Treatment
from diffam_core.images import Photo, decode_photo

INTERPOLATIONS = {"area": cv2.INTER_AREA, "linear": cv2.INTER_LINEAR}


@dataclass(frozen=True)
class Profile:
    """A treatment: scaled, limited in size, blurred, saved as JPEG, in this order; a default means it is not done.

    title: what is done, for tables.  happens: the same in plain words, to stand behind "after".
    imitates: where a photo meets it.
    blur_px: standard deviation.  jpeg_quality: in libjpeg's scale.
    """

    name: Treatment
    title: str
    happens: str
    imitates: str
    scale: float = 1.0
    max_side_px: int | None = None
    interpolation: Literal["area", "linear"] = "area"
    blur_px: float = 0.0
    jpeg_quality: int | None = None
    subsampling: Literal["4:4:4", "4:2:0"] = "4:4:4"


PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile(
            name="jpeg75",
            title="JPEG, quality 75",
            happens="saving it as an ordinary JPEG",
            imitates="websites and apps that re-encode uploads; the default of many programs",
            jpeg_quality=75,
        ),
        Profile(
            name="jpeg50",
            title="JPEG, quality 50",
            happens="strong compression",
            imitates="thumbnails, slow connections, several re-encodings in a row",
            jpeg_quality=50,
        ),
        Profile(
            name="half",
            title="half the size",
            happens="halving its size",
            imitates="previews, feeds, and crawlers that store small copies",
            scale=0.5,
        ),
        Profile(
            name="blur",
            title="Gaussian blur, 1.5 px",
            happens="a slight blur",
            imitates="smoothing and noise reduction, on purpose or by a filter",
            blur_px=1.5,
        ),
        Profile(
            name="screenshot",
            title="shown at 75 %, JPEG 80",
            happens="a screenshot",
            imitates="a photo shown smaller than it is, grabbed from the screen, saved",
            scale=0.75,
            interpolation="linear",
            jpeg_quality=80,
        ),
        Profile(
            name="messenger",
            title="at most 1600 px, JPEG 80, 4:2:0",
            happens="a messenger",
            imitates="common messengers: smaller, and with half the colour resolution",
            max_side_px=1600,
            jpeg_quality=80,
            subsampling="4:2:0",
        ),
    )
}
PROFILE_NAMES = tuple(PROFILES)


def treat(photo: Photo, profile: Profile) -> Photo:
    """The photo after what a profile does to it; smaller where the profile scales."""
    factor = profile.scale
    if profile.max_side_px is not None:
        factor *= min(1.0, profile.max_side_px / (factor * max(photo.shape[:2])))
    if factor != 1:
        height, width = photo.shape[:2]
        photo = cv2.resize(
            photo, None, fx=max(factor, 1 / width), fy=max(factor, 1 / height),
            interpolation=INTERPOLATIONS[profile.interpolation],
        ).astype(np.uint8)  # fmt: skip
    if profile.blur_px:
        photo = cv2.GaussianBlur(photo, (0, 0), profile.blur_px).astype(np.uint8)
    if profile.jpeg_quality is not None:
        buffer = io.BytesIO()
        Image.fromarray(photo).save(buffer, "JPEG", quality=profile.jpeg_quality, subsampling=profile.subsampling)
        photo = decode_photo(buffer.getvalue())
    return photo
