"""Friends in one photo: look first, choose whom and how much, pick one of several pictures. Over real HTTP."""

from io import BytesIO
from time import sleep

import numpy as np
import pytest
from PIL import ExifTags, Image

from diffam_client.contract.job import JobInput
from diffam_client.contract.report import ProtectedFace
from diffam_client.contract.wish import Kept, Wish
from model_store.bundle import Bundle
from model_store.rendered.scenes import group_scene
from protection.pipeline import finish_photo, make_photos_up, open_photo
from protection.plan import Request
from tests.story.conftest import Service, png
from tests.story.test_journey import pixels
from tests.told import SECRETS, exif_of

pytestmark = pytest.mark.xdist_group("service")


@pytest.fixture(scope="module")
def friends() -> bytes:
    """Two people, as PNG bytes; the file tells who took the picture, and much besides."""
    photo, file = Image.fromarray(group_scene(11, 640, 400, faces=2, tilt_deg=10, box_widths=(100, 140))[0]), BytesIO()
    photo.save(file, "PNG", exif=exif_of(artist="Ada", copyright="(c) nobody"))
    return file.getvalue()


def test_looking_first_tells_whom_one_can_choose(service: Service, friends: bytes) -> None:
    faces = service.api.faces(friends)
    assert [face.index for face in faces] == [0, 1]
    assert faces[0].box[2] >= faces[1].box[2]

    done = service.api.protect(
        friends, reference="rose", target="aurora", faces=[1], candidates=2, survival=["messenger"],
        output_format="webp", keep=["credit", "date"],
    )  # fmt: skip
    assert isinstance(done.job.input, JobInput)
    assert done.job.input.kept == Kept(credit="Ada")
    left_alone, protected = done.faces
    assert (left_alone.status, left_alone.code) == ("left_alone", "face_not_chosen")
    assert isinstance(protected, ProtectedFace)
    assert protected.box == faces[1].box
    assert set(protected.survival) == {"messenger"}
    assert protected.verdict.word in ("strong", "partial", "weak")
    strengths, amounts = [], []
    for picture in done.pictures:
        assert picture.media_type == "image/webp"
        with Image.open(BytesIO(picture.photo)) as opened:
            assert (opened.size, dict(opened.getexif())) == ((640, 400), {ExifTags.Base.Artist: "Ada"})
        assert [secret for secret in (*SECRETS, "nobody") if secret.encode() in picture.photo] == []
        x, y, w, h = protected.box
        change = np.abs(pixels(picture.photo) - pixels(friends))[y : y + h, x : x + w]
        strengths.append(picture.strength)
        amounts.append(float(change.mean()))
    assert strengths == [1.0, 0.5]
    assert amounts[0] > amounts[1]


def test_a_face_that_is_not_there_fails_the_job_with_its_code(service: Service, friends: bytes) -> None:
    fields = {"reference_id": "rose", "faces": "5"}
    job = service.client.post("/v1/jobs", data=fields, files={"photo": friends}, headers={"Prefer": "wait=30"}).json()
    while job["status"] in ("queued", "running"):
        job = service.client.get(job["links"]["self"], headers={"Prefer": "wait=30"}).json()
    assert job["error"]["code"] == "face_unknown"
    assert "2 were found" in job["error"]["message"]


def test_a_small_photo_overtakes_a_crowd_and_the_crowd_has_a_bound(service: Service, scene: bytes) -> None:
    crowd, _ = group_scene(3, 2000, 1400, faces=12, tilt_deg=0, box_widths=(90, 120))
    fields = {"reference_id": "rose", "target_id": "aurora", "survival": "jpeg75,jpeg50,half,blur,screenshot,messenger"}
    photo = ("crowd.png", png(Image.fromarray(crowd)))
    here = f"/v1/jobs/{service.client.post('/v1/jobs', data=fields, files={'photo': photo}).json()['id']}"
    while (service.client.get(here).json()["progress"] or {"stage": ""})["stage"] != "score":
        sleep(0.1)
    service.follow(service.submit(scene))
    assert service.client.get(here).json()["status"] == "running"
    assert service.client.delete(here).status_code == 204


def test_faces_beyond_the_limit_are_named_and_come_with_a_second_job(bundle: Bundle, friends: bytes) -> None:
    upload = open_photo(bundle.models, 1, Request(friends, Wish(reference_id="rose", target_id="aurora")))
    assert (upload.chosen, upload.beyond, upload.rows) == ((0,), (1,), 1)
    (made_up,) = make_photos_up(bundle, [upload], lambda *_: None)
    first, second = finish_photo(bundle, made_up, lambda *_: None).candidates[0].faces
    assert (first.status, second.status, second.code) == ("protected", "left_alone", "face_beyond_limit")
    again = open_photo(
        bundle.models, 1, Request(friends, Wish(reference_id="rose", target_id="aurora", faces=(1,), strength="auto"))
    )
    assert (again.chosen, again.beyond, again.rows) == ((1,), (), 6)
