"""A pipeline without models: it obeys the same protocol as the real one and takes as long as it is told.

`python -m tests.worker.stand_in` is a worker process around it, for tests of everything but the method.
"""

from collections.abc import Sequence
from io import BytesIO
from threading import Lock
from time import sleep

import numpy as np
from PIL import Image, ImageOps

from diffam_client.contract.report import FaceReport, OnProgress, Progress, Stage
from diffam_core.errors import NoFaceFound
from diffam_core.faces.face import FoundFace
from diffam_core.faces.framing import Framing
from jobs.logs import configure_logging
from jobs.settings import Settings
from protection.pipeline import Candidate, MadeUp, ProtectedPhoto
from protection.plan import Request, Upload
from tests.finished import protected_face, seen_face
from worker.photo_jobs import Pipeline
from worker.serve import serve

STAGE_S = 0.3
MAKE_UP: tuple[Stage, ...] = ("invert", "make_up")
FINISH: tuple[Stage, ...] = ("composite", "score")
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
    face = FoundFace(
        (0, 0, width, height), (width / 3, height / 3), (2 * width / 3, height / 3), Framing((0.5, 0.46), 0.28)
    )
    return Upload(request.wish, photo, None, [face], (0,), (), 0.0)


def make_up(uploads: Sequence[Upload], on_progress: OnProgress, stage_s: float = STAGE_S) -> list[MadeUp]:
    """Nothing, in due time."""
    colours = {tuple(upload.photo[0, 0]) for upload in uploads}
    for stage in MAKE_UP:
        on_progress(Progress(stage=stage, step=0, steps=1))
        if HOGGING in colours:
            ACCELERATOR.acquire()
        sleep(600 if {STALLING, HOGGING} & colours else stage_s)
        on_progress(Progress(stage=stage, step=1, steps=1))
    return [MadeUp(upload, [], [], dict.fromkeys(MAKE_UP, stage_s)) for upload in uploads]


def finish(made_up: MadeUp, on_progress: OnProgress, stage_s: float = STAGE_S) -> ProtectedPhoto:
    """A photographic negative."""
    for stage in FINISH:
        on_progress(Progress(stage=stage, step=0, steps=1))
        sleep(stage_s)
        on_progress(Progress(stage=stage, step=1, steps=1))
    return negative(made_up.upload)


def negative(upload: Upload) -> ProtectedPhoto:
    """The negative of one photo, with scores of the real shape."""
    wish, photo = upload.wish, Image.fromarray(upload.photo)
    file = BytesIO()
    ImageOps.invert(photo).save(file, wish.output_format)
    picture = Candidate(
        photo=file.getvalue(),
        media_type=f"image/{wish.output_format}",
        width=photo.width,
        height=photo.height,
        comparison=file.getvalue(),
        reference=wish.reference_id,
        target=wish.target_id or "first",
        strength=wish.strength,
        faces=[
            protected_face(
                box=(0, 0, photo.width, photo.height), reference=wish.reference_id, target=wish.target_id or "first"
            )
        ],
    )
    return ProtectedPhoto([picture] * wish.candidates, dict.fromkeys((*MAKE_UP, *FINISH), STAGE_S))


def detect(photo: bytes) -> list[FaceReport]:
    """The whole photo is a face, none if it is black all over."""
    image = Image.open(BytesIO(photo)).convert("RGB")
    return [seen_face(box=(0, 0, image.width, image.height))] if image.getbbox() else []


PIPELINE = Pipeline(detect, open_photo, make_up, finish)


def main() -> None:
    """Serve as `worker.main` does, without a bundle."""
    settings = Settings()
    configure_logging(settings.log_level)
    serve(settings, PIPELINE, settings.bundle)


if __name__ == "__main__":
    main()
