"""A pipeline without models: it obeys the same protocol as the real one and takes as long as it is told.

`python -m tests.worker.stand_in` is a worker process around it, for tests of everything but the method.
"""

from collections.abc import Callable, Sequence
from io import BytesIO
from threading import Lock
from time import sleep
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from diffam_core.errors import NoFaceFound
from diffam_core.faces.face import FoundFace
from jobs.logs import configure_logging
from jobs.settings import Settings
from protection.pipeline import Candidate, MadeUp, ProtectedPhoto, Upload
from protection.plan import Request
from worker.photo_jobs import Pipeline
from worker.serve import serve

STAGE_S = 0.3
STALLING, HOGGING = (255, 0, 0), (0, 0, 255)
"""Photos of these colours are worked on for ever; the second keeps what all others need, like a stuck accelerator."""
ACCELERATOR = Lock()


def open_photo(request: Request) -> Upload:
    """The whole photo is a face; one whose first pixel is black has none. Raises NoFaceFound."""
    photo = np.array(Image.open(BytesIO(request.photo)).convert("RGB"))
    with ACCELERATOR:
        pass
    if not photo[0, 0].any():
        raise NoFaceFound("no face in the photo")
    height, width = photo.shape[:2]
    face = FoundFace((0, 0, width, height), (width / 3, height / 3), (2 * width / 3, height / 3))
    return Upload(request.wish, photo, None, [face], (0,), (), 0.0)


def make_up(
    uploads: Sequence[Upload], on_progress: Callable[[str, int, int], None], stage_s: float = STAGE_S
) -> list[MadeUp]:
    """Nothing, in due time."""
    for stage in ("invert", "make_up"):
        on_progress(stage, 0, 1)
        colours = {tuple(upload.photo[0, 0]) for upload in uploads}
        if HOGGING in colours:
            ACCELERATOR.acquire()
        sleep(600 if {STALLING, HOGGING} & colours else stage_s)
        on_progress(stage, 1, 1)
    return [MadeUp(upload, [], [], {"invert": stage_s, "make_up": stage_s}) for upload in uploads]


def finish(made_up: MadeUp, on_progress: Callable[[str, int, int], None], stage_s: float = STAGE_S) -> ProtectedPhoto:
    """A photographic negative."""
    for stage in ("composite", "score"):
        on_progress(stage, 0, 1)
        sleep(stage_s)
        on_progress(stage, 1, 1)
    return negative(made_up.upload)


def negative(upload: Upload) -> ProtectedPhoto:
    """The negative of one photo, with scores of the real shape."""
    wish, photo = upload.wish, Image.fromarray(upload.photo)
    file = BytesIO()
    ImageOps.invert(photo).save(file, wish.output_format)
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
        "reference": wish.reference_id,
        "target": wish.target_id,
        "scores": {"psnr_db": 25.0, "ssim": 0.9, "lpips": 0.1},
        "recognisers": [row],
    }
    picture = Candidate(
        photo=file.getvalue(),
        media_type=f"image/{wish.output_format}",
        width=photo.width,
        height=photo.height,
        comparison=file.getvalue(),
        reference=wish.reference_id,
        target=wish.target_id or "first",
        strength=wish.strength,
        faces=[face],
    )
    return ProtectedPhoto(
        [picture] * wish.candidates, dict.fromkeys(("invert", "make_up", "composite", "score"), STAGE_S)
    )


def found(photo: Image.Image) -> dict[str, Any]:
    """The whole photo is a face."""
    return {"index": 0, "box": [0, 0, photo.width, photo.height], "status": "found", "code": None, "notes": []}


def detect(photo: bytes) -> list[dict[str, Any]]:
    """One face, none in a photo that is black all over."""
    image = Image.open(BytesIO(photo)).convert("RGB")
    return [found(image)] if image.getbbox() else []


PIPELINE = Pipeline(detect, open_photo, make_up, finish)


def main() -> None:
    """Serve as `worker.main` does, without a bundle."""
    settings = Settings()
    configure_logging(settings.log_level)
    serve(settings, PIPELINE)


if __name__ == "__main__":
    main()
