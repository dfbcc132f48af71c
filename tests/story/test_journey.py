"""Read this first: upload → job → batch → invert → make up → composite → score → result, over real HTTP."""

import hashlib
import os
import signal
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffam_client import BadRequest, ClientError, Event, JobFailed
from diffam_client.contract.report import FaceReport
from model_store.rendered.scenes import demo_scene
from tests.story.conftest import Service, face_of, made, png

pytestmark = pytest.mark.xdist_group("service")


def pixels(photo: Image.Image | bytes) -> np.ndarray:
    """(height, width, 3) in 0..255, signed so that differences can be taken."""
    image = Image.open(BytesIO(photo)) if isinstance(photo, bytes) else photo
    return np.asarray(image.convert("RGB")).astype(np.int16)


def outside(face: FaceReport, photo: np.ndarray) -> np.ndarray:
    """Where the photo is farther from the face's box than half the box's size."""
    x, y, width, height = face.box
    mask = np.ones(photo.shape[:2], dtype=bool)
    mask[max(0, y - height // 2) : y + height * 3 // 2, max(0, x - width // 2) : x + width * 3 // 2] = False
    return mask


def test_a_photo_goes_in_and_comes_back_protected(service: Service, scene: bytes) -> None:
    seen: list[Event] = []
    job = service.follow(service.submit(scene), seen.append)

    assert seen[-1].status == "succeeded"
    fractions = [event.progress.fraction for event in seen if event.progress]
    assert fractions == sorted(fractions)
    assert [event.revision for event in seen] == sorted(event.revision for event in seen)
    assert (job.bundle.name, job.bundle.grade) == ("mini", "demonstration")

    file, photo = service.api.result(job), made(job).photo
    assert photo is not None
    assert hashlib.sha256(file).hexdigest() == photo.sha256
    before, after = pixels(scene), pixels(file)
    changed = (before != after).any(axis=2)
    assert before.shape == after.shape
    assert changed.any()
    assert not (changed & outside(face_of(job), before)).any()
    assert service.picture(job, "comparison").format == "JPEG"


def test_every_recogniser_reports_before_and_after(service: Service, scene: bytes) -> None:
    face = face_of(service.follow(service.submit(scene)))
    assert {row.name for row in face.recognisers} == set(service.catalog.recognisers)
    assert {row.role for row in face.recognisers} == {"surrogate", "held_out"}
    for row in face.recognisers:
        assert row.own_match < row.own_match_before
        assert row.target_match > row.target_match_before
        assert row.dodged == (row.own_match < row.threshold)
        assert row.impersonated == (row.target_match > row.threshold)
    assert face.scores.psnr_db > 20


def test_photos_sent_together_share_a_batch_and_get_what_they_would_get_alone(service: Service, scene: bytes) -> None:
    alone = pixels(service.api.result(service.follow(service.submit(scene))))
    others = [png(demo_scene(seed=seed, size=512)) for seed in (2, 3)]
    jobs = [service.follow(job) for job in [service.submit(photo) for photo in (scene, *others, scene)]]
    assert max(job.timings.batch_size or 0 for job in jobs) > 1
    for job in (jobs[0], jobs[-1]):
        # Batched arithmetic differs in the last bits, which may tip a rounded pixel by one level of 255.
        assert abs(pixels(service.api.result(job)) - alone).max() <= 1


def test_a_photo_without_a_face_fails_alone(service: Service, scene: bytes) -> None:
    empty = service.submit(png(Image.new("RGB", (400, 300), "teal")))
    good = service.submit(scene)
    with pytest.raises(JobFailed, match="no_face_found"):
        service.follow(empty)
    assert service.follow(good).status == "succeeded"
    answer = service.client.get(f"/v1/jobs/{empty.id}").json()
    assert answer["status"] == "failed"
    assert answer["error"]["code"] == "no_face_found"


def test_a_killed_worker_is_replaced_and_its_jobs_still_succeed(service: Service, scene: bytes) -> None:
    jobs = [service.submit(scene) for _ in range(8)]
    while not any(service.api.get(job).status == "running" for job in jobs):
        pass
    os.kill(service.stack.supervisor.pid("worker"), signal.SIGKILL)
    finished = [service.follow(job) for job in jobs]
    assert max(job.attempt for job in finished) == 2


@pytest.mark.parametrize("name", ["astronaut_nasa.png", "pillow_hopper.jpg"])
def test_real_photos_keep_their_size_and_their_background(service: Service, assets: Path, name: str) -> None:
    upload = (assets / "photos" / name).read_bytes()
    job = service.follow(service.submit(upload))
    before, after = pixels(upload), pixels(service.api.result(job))
    changed = (before != after).any(axis=2)
    assert before.shape == after.shape
    assert changed.any()
    assert not (changed & outside(made(job).faces[0], before)).any()


def test_no_malformed_upload_harms_the_service(service: Service, assets: Path, scene: bytes) -> None:
    outcomes: dict[str, str] = {}
    for path in sorted((assets / "malformed").iterdir()):
        try:
            outcomes[path.name] = service.follow(service.submit(path.read_bytes())).status
        except ClientError as refusal:
            outcomes[path.name] = str(refusal)
    assert not [name for name, outcome in outcomes.items() if outcome.startswith(("internal", "http", "worker_lost"))]
    assert service.follow(service.submit(scene)).status == "succeeded"


@pytest.mark.parametrize(
    ("fields", "code"), [({"reference": "tulip"}, "unknown_reference"), ({"target": "nobody"}, "unknown_target")]
)
def test_what_is_not_on_offer_is_refused_at_once(
    service: Service, scene: bytes, fields: dict[str, str], code: str
) -> None:
    with pytest.raises(BadRequest, match=code):
        service.submit(scene, **fields)


def test_an_erased_job_leaves_nothing(service: Service, scene: bytes) -> None:
    job = service.follow(service.submit(scene))
    here = f"/v1/jobs/{job.id}"
    assert service.client.delete(here).status_code == 204
    for path in (here, f"{here}/result", f"{here}/comparison"):
        assert service.client.get(path).status_code == 410
