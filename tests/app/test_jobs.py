"""Jobs over HTTP: a real server, a real ledger; the test is the worker."""

import threading
import time
from collections.abc import Callable
from io import BytesIO

import httpx
import pytest
from PIL import Image
from redis import Redis

from diffam_client.contract.job import JobError
from diffam_client.contract.report import Progress
from jobs.ledger import Ledger

Post = Callable[..., httpx.Response]
Finish = Callable[[str], None]


def test_a_photo_becomes_a_job_and_the_job_a_result(client: httpx.Client, post: Post, finish: Finish) -> None:
    accepted = post()
    assert accepted.status_code == 202
    assert accepted.headers["retry-after"] == "1"
    job = accepted.json()
    assert accepted.headers["location"] == job["links"]["self"] == f"/v1/jobs/{job['id']}"
    assert (job["status"], job["bundle"]["grade"]) == ("queued", "demonstration")
    assert job["queue"] == {"position": 1, "eta_s": None}  # nothing was measured yet
    assert (job["input"]["width"], job["input"]["height"]) == (96, 80)
    assert job["input"]["target_id"] == "ada"  # the look's own, since none was named

    finish(job["id"])
    done = client.get(job["links"]["self"]).json()
    assert done["status"] == "succeeded"
    assert done["output"]["faces"][0]["scores"] == {"psnr_db": 30.0, "ssim": 0.9, "lpips": 0.1}
    assert done["timings"]["batch_size"] == 1
    result = client.get(done["output"]["photo"]["url"])
    assert (result.content, result.headers["content-type"]) == (b"protected", "image/png")
    comparison = client.get(done["links"]["comparison"])
    assert (comparison.content, comparison.headers["content-type"]) == (b"comparison", "image/jpeg")


def test_the_worker_gets_pixels_and_nothing_else(post: Post, ledger: Ledger) -> None:
    exif = Image.Exif()
    exif[0x010F] = "a camera maker"
    exif[0x0112] = 6
    upload = BytesIO()
    Image.new("RGB", (120, 70), "red").save(upload, "JPEG", exif=exif, comment=b"secret")
    job = post(upload.getvalue()).json()
    assert (job["input"]["width"], job["input"]["height"]) == (70, 120)
    photo = ledger.blob("photo", job["id"])
    assert photo is not None
    decoded = Image.open(BytesIO(photo))
    decoded.load()
    assert (decoded.format, decoded.mode, decoded.size, decoded.info) == ("PNG", "RGB", (70, 120), {})
    assert b"camera" not in photo


def test_a_bell_is_rung_for_every_job(post: Post, redis: Redis) -> None:
    post()
    post()
    assert redis.llen("protect") == 2


def test_a_waiting_client_gets_the_end_in_one_answer(post: Post, redis: Redis, finish: Finish) -> None:
    def work() -> None:
        while not (waiting := list(redis.scan_iter("diffam:job:*"))):
            time.sleep(0.02)
        finish(waiting[0].decode().removeprefix("diffam:job:"))

    worker = threading.Thread(target=work)
    worker.start()
    answer = post(headers={"Prefer": "wait=20"})
    worker.join()
    assert answer.status_code == 200
    assert answer.json()["status"] == "succeeded"
    assert answer.headers["preference-applied"] == "wait=20"


def test_a_wait_that_passes_answers_with_the_job_as_it_stands(client: httpx.Client, post: Post) -> None:
    job = post().json()
    started = time.monotonic()
    answer = client.get(job["links"]["self"], headers={"Prefer": "respond-async, wait=1"})
    assert answer.json()["status"] == "queued"
    assert 0.9 < time.monotonic() - started < 20


def test_an_unchanged_job_costs_no_body(client: httpx.Client, post: Post, finish: Finish) -> None:
    job = post().json()
    path = job["links"]["self"]
    etag = client.get(path).headers["etag"]
    assert client.get(path, headers={"If-None-Match": etag}).status_code == 304
    finish(job["id"])
    assert client.get(path, headers={"If-None-Match": etag}).status_code == 200
    tag = client.get(f"{path}/result").headers["etag"]
    assert client.get(f"{path}/result", headers={"If-None-Match": f"W/{tag}"}).status_code == 304


def test_a_failed_job_is_read_like_any_other(client: httpx.Client, post: Post, ledger: Ledger) -> None:
    job = post().json()
    claim = ledger.claim(job["id"])
    assert claim is not None
    ledger.fail(claim, JobError(code="no_face_found", message="no face", retryable=False))
    answer = client.get(job["links"]["self"])
    assert answer.status_code == 200
    assert answer.json()["error"] == {"code": "no_face_found", "message": "no face", "retryable": False}
    result = client.get(f"{job['links']['self']}/result")
    assert (result.status_code, result.json()["code"]) == (409, "job_failed")
    assert "no_face_found" in result.json()["detail"]


def test_a_running_job_tells_how_far_it_is(client: httpx.Client, post: Post, ledger: Ledger) -> None:
    job = post().json()
    claim = ledger.claim(job["id"])
    assert claim is not None
    assert ledger.progress(claim, Progress(stage="invert", step=3, steps=6))
    assert client.get(job["links"]["self"]).json()["progress"] == {
        "stage": "invert", "step": 3, "steps": 6, "fraction": 0.25, "losses": None, "eta_s": None,
    }  # fmt: skip


@pytest.mark.parametrize("what", ["result", "comparison"])
def test_an_early_reader_is_told_to_come_back(client: httpx.Client, post: Post, what: str) -> None:
    answer = client.get(f"{post().json()['links']['self']}/{what}")
    assert (answer.status_code, answer.json()["code"]) == (409, "result_not_ready")
    assert answer.json()["retryable"]
    assert answer.headers["retry-after"] == "1"


def test_an_erased_job_is_gone_and_stays_gone(client: httpx.Client, post: Post, finish: Finish, redis: Redis) -> None:
    job = post().json()
    path = job["links"]["self"]
    finish(job["id"])
    assert client.delete(path).status_code == 204
    for gone in (path, f"{path}/result", f"{path}/comparison"):
        answer = client.get(gone)
        assert (answer.status_code, answer.json()["code"]) == (410, "erased_job")
    assert list(redis.scan_iter(f"*{job['id']}*")) == [f"diffam:gone:{job['id']}".encode()]
    assert client.delete(path).status_code == 204


@pytest.mark.parametrize("job_id", ["0" * 32, "x", "%00", "..%2F..", "a" * 3000])
def test_a_foreign_id_is_not_found(client: httpx.Client, job_id: str) -> None:
    for answer in (client.get(f"/v1/jobs/{job_id}"), client.delete(f"/v1/jobs/{job_id}")):
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
