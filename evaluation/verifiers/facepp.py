"""Face++ Compare, version 3.

Source: "Compare API" in the Face++ documentation (console.faceplusplus.com): fields of the multipart form, picture
limits, `confidence` and `thresholds`, "Unique ERROR_MESSAGE of this API" and "Common ERROR_MESSAGE".
"""

from evaluation.commercial.errors import VerifierNoFace
from evaluation.commercial.fitting import PictureLimits
from evaluation.commercial.verifier import FALSE_ACCEPTS, Access, Confidence, Form, Said, Service, refusal

UNAUTHORISED = ("AUTHENTICATION_ERROR", "AUTHORIZATION_ERROR")
BUSY = ("CONCURRENCY_LIMIT_EXCEEDED", "IMAGE_DOWNLOAD_TIMEOUT", "INTERNAL_ERROR")


def _form(access: Access, a: bytes, b: bytes) -> Form:
    return {
        "data": {"api_key": access.key, "api_secret": access.secret},
        "files": {"image_file1": ("1.jpg", a, "image/jpeg"), "image_file2": ("2.jpg", b, "image/jpeg")},
    }


def _read(facts: Said) -> Confidence:
    said = str(facts.get("error_message", ""))
    if said:
        raise refusal(said, UNAUTHORISED, BUSY)
    if "confidence" not in facts and [] in (facts["faces1"], facts["faces2"]):
        raise VerifierNoFace("no face in one of the pictures")
    return Confidence(float(facts["confidence"]), {far: float(facts["thresholds"][far]) for far in FALSE_ACCEPTS})


VERIFIER = Service(
    title="Face++",
    operator="Megvii",
    path="/facepp/v3/compare",
    # 48 to 4096 pixels and 2 MB are documented. Faces under 150 pixels are not seen, hence the larger minimum; and the
    # whole request, two pictures, may have 2 MB.
    limits=PictureLimits(min_side_px=320, max_side_px=4096, max_bytes=950_000),
    form=_form,
    read=_read,
)
