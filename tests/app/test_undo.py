"""`undo=1`: what is refused, who is told the key, and where the file is."""

import base64
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import cast

import httpx
import pytest
from PIL import Image
from redis import Redis

from diffam_client.contract.job import JobInput
from jobs.access.undo_keys import draw_key, public_of
from jobs.ledger import Ledger
from tests.app.test_problems import problem
from tests.app.test_unstored import WAIT, Work, worker
from tests.finished import FinishedPhoto, FinishedPicture

Post = Callable[..., httpx.Response]
__all__ = ["worker"]
UNDONE = FinishedPhoto([FinishedPicture(undo=b"way back"), FinishedPicture(undo=b"the other way back")])


def everything(redis: Redis) -> Iterator[bytes]:
    """Every name and value that the ledger has."""
    readers: dict[bytes, Callable[[bytes], object]] = {
        b"hash": redis.hgetall, b"string": redis.get, b"stream": redis.xrange, b"set": redis.smembers,
        b"zset": lambda name: redis.zrange(name, 0, -1), b"list": lambda name: redis.lrange(name, 0, -1),
    }  # fmt: skip
    for name in cast("list[bytes]", redis.keys("*")):
        yield repr((name, readers[cast("bytes", redis.type(name))](name))).encode()


def test_a_key_is_drawn_told_once_and_kept_nowhere(
    client: httpx.Client, post: Post, ledger: Ledger, redis: Redis
) -> None:
    job = post(undo="1").json()
    key = job["undo_key"]
    assert job["input"]["undo_to"] == public_of(key)
    assert client.get(job["links"]["self"]).json()["undo_key"] is None
    kept = b"".join(everything(redis))
    assert job["input"]["undo_to"].encode() in kept
    assert key.encode() not in kept
    assert repr(bytes.fromhex(key))[2:-1].encode() not in kept
    claim = ledger.claim(job["id"])
    assert claim is not None
    assert isinstance(claim.input, JobInput)
    assert claim.input.undo_to == public_of(key)


def test_a_key_of_ones_own_is_not_told_again(post: Post) -> None:
    key = draw_key()
    job = post(undo="1", undo_key=key.upper()).json()
    assert (job["undo_key"], job["input"]["undo_to"]) == (None, public_of(key))
    assert key not in str(job).lower()


def test_the_file_lies_beside_the_result_and_goes_with_it(
    client: httpx.Client, post: Post, ledger: Ledger, redis: Redis
) -> None:
    job = post(undo="1", candidates="2").json()
    assert "undo" not in job["links"]
    assert problem(client.get(f"{job['links']['self']}/undo")).code == "result_not_ready"
    claim = ledger.claim(job["id"])
    assert claim is not None
    assert ledger.commit(claim, UNDONE, batch_size=1)
    job = client.get(job["links"]["self"]).json()
    answer = client.get(job["links"]["undo"])
    assert (answer.content, answer.headers["content-type"]) == (b"way back", "application/octet-stream")
    assert answer.headers["content-disposition"].endswith('.undo"')
    urls = [each["photo"]["undo_url"] for each in job["output"]["candidates"]]
    assert [client.get(url).content for url in urls] == [b"way back", b"the other way back"]
    assert client.get(job["output"]["photo"]["undo_url"]).content == b"way back"
    assert redis.keys("diffam:undo*")
    assert client.delete(job["links"]["self"]).status_code == 204
    assert redis.keys("diffam:undo*") == []
    assert problem(client.get(f"{job['links']['self']}/undo")).code == "erased_job"


def test_a_job_that_did_not_ask_for_it_has_none(
    client: httpx.Client, post: Post, finish: Callable[[str], None]
) -> None:
    job = post().json()
    finish(job["id"])
    told = client.get(job["links"]["self"]).json()
    assert "undo" not in told["links"]
    assert told["output"]["photo"]["undo_url"] is None
    assert problem(client.get(f"{job['links']['self']}/undo")).code == "not_found"


def test_what_is_not_stored_comes_with_the_answer(post: Post, worker: Work, ledger: Ledger, redis: Redis) -> None:
    worker(lambda claim: ledger.commit(claim, UNDONE, batch_size=1))
    job = post(headers=WAIT, store="0", undo="1", candidates="2").json()
    assert len(job["undo_key"]) == 64
    urls = [each["photo"]["undo_url"] for each in job["output"]["candidates"]]
    files = [base64.b64decode(url.removeprefix("data:application/octet-stream;base64,")) for url in urls]
    assert files == [b"way back", b"the other way back"]
    assert redis.keys("diffam:undo*") == []


@pytest.mark.parametrize("lossy", ["jpeg", "webp"])
def test_a_format_that_loses_pixels_cannot_be_undone(post: Post, redis: Redis, lossy: str) -> None:
    refused = problem(post(undo="1", output_format=lossy))
    assert (refused.status, refused.code, refused.param) == (422, "invalid_field", "undo")
    assert "ask for output_format=png" in refused.detail
    assert problem(post(undo="1", output_format="same")).param == "undo"  # the upload is a JPEG
    assert not redis.keys("diffam:job:*")


def test_the_format_of_a_png_upload_can(post: Post) -> None:
    photo = BytesIO()
    Image.new("RGB", (96, 80), "teal").save(photo, "PNG")
    assert post(photo.getvalue(), undo="1", output_format="same").status_code == 202


def test_a_request_that_may_come_again_brings_its_key(post: Post) -> None:
    again = {"Idempotency-Key": "5f0c5ab7"}
    refused = problem(post(headers=again, undo="1"))
    assert (refused.code, refused.param) == ("missing_field", "undo_key")
    key = draw_key()
    first, second = (post(headers=again, undo="1", undo_key=key).json() for _ in range(2))
    assert (first["id"], first["input"]["undo_to"]) == (second["id"], public_of(key))
    assert problem(post(headers=again, undo="1", undo_key=draw_key())).code == "idempotency_key_reused"


@pytest.mark.parametrize("key", ["secret", "0" * 63, "g" * 64, ""])
def test_what_is_no_key_is_refused(post: Post, key: str) -> None:
    answer = post(undo="1", undo_key=key)
    assert (problem(answer).param if key else answer.status_code) == ("undo_key" if key else 202)


def test_a_key_without_anything_to_undo_is_refused(post: Post) -> None:
    assert problem(post(undo_key=draw_key())).param == "undo_key"
