"""A `Protect` without models: it obeys the same protocol as the pipeline and takes as long as it is told.

`python -m tests.worker.stand_in` is a worker process around it, for tests of everything but the method.
"""

from collections.abc import Callable, Sequence
from io import BytesIO
from time import sleep
from typing import Any

from PIL import Image, ImageOps

from diffam_core.errors import DiffAMError, NoFaceFound
from jobs.logs import configure_logging
from jobs.settings import Settings
from worker.pipeline import Candidate, ProtectedPhoto
from worker.request import ProtectRequest
from worker.serve import serve

STAGES = ("detect", "invert", "make_up", "composite", "score")
STAGE_S = 0.3


def protect(
    requests: Sequence[ProtectRequest], on_progress: Callable[[str, int, int], None], stage_s: float = STAGE_S
) -> list[ProtectedPhoto | DiffAMError]:
    """Photographic negatives. A photo that is black all over has no face."""
    for stage in STAGES:
        on_progress(stage, 0, 1)
        sleep(stage_s)
        on_progress(stage, 1, 1)
    return [negative(request) for request in requests]


def negative(request: ProtectRequest) -> ProtectedPhoto | DiffAMError:
    """The negative of one photo, with scores of the real shape."""
    photo = Image.open(BytesIO(request.photo)).convert("RGB")
    if not photo.getbbox():
        return NoFaceFound("no face in the photo")
    file = BytesIO()
    ImageOps.invert(photo).save(file, request.output_format)
    row = {
        "name": "stand_in",
        "role": "held_out",
        "own_match_before": 1.0,
        "own_match": 0.1,
        "target_match_before": 0.0,
        "target_match": 0.6,
        "threshold_far_0.01": 0.3,
        "dodged": True,
        "impersonated": True,
    }
    face = {
        **found(photo),
        "status": "protected",
        "strength": 1.0,
        "reference": request.reference,
        "target": request.target,
        "scores": {"psnr_db": 25.0, "ssim": 0.9, "lpips": 0.1},
        "recognisers": [row],
    }
    picture = Candidate(
        photo=file.getvalue(),
        media_type=f"image/{request.output_format}",
        width=photo.width,
        height=photo.height,
        comparison=file.getvalue(),
        reference=request.reference,
        target=request.target or "first",
        strength=request.strength,
        faces=[face],
    )
    return ProtectedPhoto([picture] * request.candidates, dict.fromkeys(STAGES, STAGE_S))


def found(photo: Image.Image) -> dict[str, Any]:
    """The whole photo is a face."""
    return {"index": 0, "box": [0, 0, photo.width, photo.height], "status": "found", "code": None, "notes": []}


def detect(photo: bytes) -> list[dict[str, Any]]:
    """One face, none in a photo that is black all over."""
    image = Image.open(BytesIO(photo)).convert("RGB")
    return [found(image)] if image.getbbox() else []


def main() -> None:
    """Serve as `worker.main` does, without a bundle."""
    settings = Settings()
    configure_logging(settings.log_level)
    serve(settings, protect, detect)


if __name__ == "__main__":
    main()
