"""What may be asked for beside the photo: faces, strength, regions, candidates, survival."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import httpx
import pytest
from PIL import Image
from redis import Redis

from diffam_client.contract.job import JobInput
from jobs.ledger import Ledger
from jobs.settings import Settings
from tests.app.test_problems import problem
from tests.finished import FinishedPhoto, FinishedPicture
from tests.told import SECRETS, exif_of

Post = Callable[..., httpx.Response]


@pytest.mark.parametrize(
    ("field", "text", "meaning"),
    [
        ("faces", "all", "all"),
        ("faces", "largest", "largest"),
        ("faces", "0", [0]),
        ("faces", " 0, 2,2 ", [0, 2]),
        ("skip", "1, 0", [1, 0]),
        ("keep", "date, credit,date", ["date", "credit"]),
        ("eyes", "20,30.5, 60,30.5", [20.0, 30.5, 60.0, 30.5]),
        ("eyes", "20,20,60,20,30,60,60,60", [20.0, 20.0, 60.0, 20.0, 30.0, 60.0, 60.0, 60.0]),
        ("strength", "0.35", 0.35),
        ("strength", "0", 0.0),
        ("strength", "auto", "auto"),
        ("regions", "lips", ["lips"]),
        ("regions", "eyes,lips", ["eyes", "lips"]),
        ("survival", "jpeg75,messenger", ["jpeg75", "messenger"]),
        ("candidates", "3", 3),
        ("output_format", "webp", "webp"),
    ],
)
def test_a_wish_is_understood(post: Post, field: str, text: str, meaning: object) -> None:
    answer = post(**{field: text})
    assert answer.status_code == 202
    assert answer.json()["input"][field] == meaning


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"strength": "2"}, "strength"),
        ({"strength": "-0.1"}, "strength"),
        ({"strength": "nan"}, "strength"),
        ({"strength": "much"}, "strength"),
        ({"faces": "-1"}, "faces"),
        ({"faces": "some"}, "faces"),
        ({"faces": ","}, "faces"),
        ({"faces": ",".join(map(str, range(65)))}, "faces"),
        ({"skip": "-1"}, "skip"),
        ({"skip": "all"}, "skip"),
        ({"eyes": "20,30,60"}, "eyes"),
        ({"eyes": "20,30,60,left"}, "eyes"),
        ({"eyes": "20,-1,60,30"}, "eyes"),
        ({"eyes": "nan,30,60,30"}, "eyes"),
        ({"eyes": ",".join(["20,30,60,30"] * 17)}, "eyes"),
        ({"eyes": "60,30,96,30"}, "eyes"),
        ({"eyes": "20,30,20,80"}, "eyes"),
        ({"eyes": "20,30,60,30,20,30,31,30"}, "eyes"),
        ({"eyes": "10,30,80,30"}, "eyes"),
        ({"keep": "place"}, "keep"),
        ({"keep": "all"}, "keep"),
        ({"regions": "ears"}, "regions"),
        ({"regions": ","}, "regions"),
        ({"survival": "fax"}, "survival"),
        ({"candidates": "4"}, "candidates"),
        ({"candidates": "0"}, "candidates"),
        ({"candidates": "3", "vary": "look"}, "candidates"),
        ({"candidates": "2", "strength": "auto"}, "candidates"),
        ({"output_format": "avif"}, "output_format"),
        ({"output_format": "gif"}, "output_format"),
    ],
)
def test_an_impossible_wish_names_its_field(post: Post, redis: Redis, fields: dict[str, str], param: str) -> None:
    document = problem(post(**fields))
    assert (document.status, document.code, document.param) == (422, "invalid_field", param)
    assert not redis.keys("diffam:job:*")


@pytest.mark.parametrize(("faces", "most"), [("largest", 15), ("all", 16), ("0", 16)])
def test_no_more_faces_are_marked_than_one_job_protects(
    serve: Callable[[Settings], Any], settings: Settings, redis: Redis, jpeg: bytes, faces: str, most: int
) -> None:
    redis.ping()

    def eyes(count: int) -> dict[str, str]:
        return {"reference_id": "rose", "faces": faces, "eyes": ",".join(["20,30,60,30"] * count)}

    for max_faces, fits in ((16, most), (4, most - 12)):
        with serve(settings.model_copy(update={"max_faces": max_faces})) as client:
            assert client.post("/v1/jobs", files={"photo": jpeg}, data=eyes(fits)).status_code == 202
            document = problem(client.post("/v1/jobs", files={"photo": jpeg}, data=eyes(fits + 1)))
            assert (document.status, document.code, document.param) == (422, "invalid_field", "eyes")
            assert fits + 1 > 16 or f"more than the {max_faces} that one job protects" in document.detail


def test_the_client_reads_what_its_upload_was(post: Post) -> None:
    upload = BytesIO()
    Image.new("CMYK", (96, 80), (0, 40, 40, 0)).save(upload, "JPEG")
    source = post(upload.getvalue()).json()["input"]["source"]
    assert (source["format"], source["mode"], source["bits"]) == ("jpeg", "CMYK", 8)


def test_every_candidate_has_an_address(client: httpx.Client, post: Post, ledger: Ledger) -> None:
    job = post(candidates="2").json()
    claim = ledger.claim(job["id"])
    assert claim is not None
    lighter = FinishedPicture(photo=b"lighter", media_type="image/webp", comparison=b"beside", strength=0.5)
    assert ledger.commit(claim, FinishedPhoto([FinishedPicture(), lighter]), batch_size=1)
    output = client.get(job["links"]["self"]).json()["output"]
    first, second = output["candidates"]
    assert (first["photo"]["sha256"], first["strength"]) == (output["photo"]["sha256"], 1.0)
    answer = client.get(second["photo"]["url"])
    assert (answer.content, answer.headers["content-type"]) == (b"lighter", "image/webp")
    assert client.get(first["photo"]["url"]).content == client.get(output["photo"]["url"]).content == b"protected"
    assert client.get(f"/v1/jobs/{job['id']}/comparison?candidate=1").content == b"beside"
    assert problem(client.get(f"/v1/jobs/{job['id']}/result?candidate=2")).code == "not_found"
    assert problem(client.get(f"/v1/jobs/{job['id']}/result?candidate=-1")).code == "invalid_field"


def test_erasing_takes_every_candidate(client: httpx.Client, post: Post, ledger: Ledger, redis: Redis) -> None:
    job = post(candidates="3").json()
    claim = ledger.claim(job["id"])
    assert claim is not None
    ledger.commit(claim, FinishedPhoto([FinishedPicture()] * 3), batch_size=1)
    assert len(redis.keys(f"diffam:*:{job['id']}")) > 6
    assert client.delete(job["links"]["self"]).status_code == 204
    assert redis.keys(f"*{job['id']}*") == [f"diffam:gone:{job['id']}".encode()]


def test_a_photo_can_be_looked_at_first(client: httpx.Client, jpeg: bytes, ledger: Ledger) -> None:
    asked = client.post("/v1/faces", files={"photo": jpeg}, headers={"Prefer": "wait=0"})
    assert asked.status_code == 202
    job: dict[str, Any] = asked.json()
    assert (job["kind"], job["input"]["width"]) == ("detect", 96)
    claim = ledger.claim(job["id"])
    assert claim is not None
    assert claim.photo.startswith(b"\x89PNG")
    assert problem(client.get(f"{job['links']['self']}/result")).code == "result_not_ready"


def test_looking_takes_a_photo_and_nothing_else(client: httpx.Client, jpeg: bytes) -> None:
    assert problem(client.post("/v1/faces", files={"photo": jpeg}, data={"strength": "1"})).param == "strength"
    nothing = client.post("/v1/faces", files={"picture": jpeg})
    assert problem(nothing).code == "missing_field"
    assert problem(client.post("/v1/faces", files={"photo": b""})).code == "photo_empty"


@pytest.mark.parametrize("quality", [35, 60, 75, 90, 97, 100])
def test_the_same_format_means_the_same_quality_of_a_jpeg(post: Post, quality: int) -> None:
    photo = BytesIO()
    Image.effect_noise((96, 80), 50).convert("RGB").save(photo, "JPEG", quality=quality)
    told = post(photo.getvalue(), output_format="same").json()["input"]
    assert told["output_format"] == "jpeg"
    assert told["source"]["quality"] == told["quality"]
    assert abs(told["quality"] - quality) <= 1
    other = post(photo.getvalue(), output_format="same", quality="50").json()["input"]
    assert (other["output_format"], other["quality"]) == ("jpeg", 50)


@pytest.mark.parametrize("sent_as", ["PNG", "WEBP"])
def test_the_same_format_of_what_tells_no_quality_is_that_format(post: Post, sent_as: str) -> None:
    photo = BytesIO()
    Image.new("RGB", (96, 80), "teal").save(photo, sent_as)
    told = post(photo.getvalue(), output_format="same").json()["input"]
    assert (told["output_format"], told["quality"], told["source"]["quality"]) == (sent_as.lower(), 92, None)


@pytest.mark.parametrize("quality", ["0", "101", "good"])
def test_a_quality_that_no_encoder_has_is_refused(post: Post, quality: str) -> None:
    assert problem(post(quality=quality)).param == "quality"


def told_jpeg(**said: str | bytes) -> bytes:
    photo = BytesIO()
    Image.effect_noise((96, 80), 50).convert("RGB").save(photo, "JPEG", exif=exif_of(**said))
    return photo.getvalue()


def everything_stored(redis: Redis) -> bytes:
    """Every value in Redis, of whatever kind, and every name."""
    return b"".join(name + (redis.dump(name) or b"") for name in redis.scan_iter("*"))


def test_what_is_kept_is_told_handed_to_the_worker_and_erased_with_the_job(
    client: httpx.Client, post: Post, ledger: Ledger, redis: Redis
) -> None:
    redis.config_set("rdbcompression", "no")  # so that DUMP shows texts as they are
    photo = told_jpeg(artist="Ada Lovelace", copyright="(c) 1843 by her", date="2024:05:31 17:02:09")
    job = post(photo, keep="credit,date").json()
    kept = {"credit": "Ada Lovelace", "copyright": None, "date": "2024-05-31T17:02:09"}
    assert (job["input"]["keep"], job["input"]["kept"]) == (["credit", "date"], kept)
    claim = ledger.claim(job["id"])
    assert claim is not None
    assert isinstance(claim.input, JobInput)
    assert claim.input.kept.model_dump() == kept
    stored = everything_stored(redis)
    assert b"Ada Lovelace" in stored
    for secret in (*SECRETS, "1843"):
        assert secret.encode() not in stored + claim.photo
    assert ledger.commit(claim, FinishedPhoto(), batch_size=1)
    assert client.get(job["links"]["self"]).json()["input"]["kept"] == kept
    assert client.delete(job["links"]["self"]).status_code == 204
    assert b"Lovelace" not in everything_stored(redis)


def test_nothing_is_kept_unasked(post: Post, redis: Redis) -> None:
    redis.config_set("rdbcompression", "no")
    job = post(told_jpeg(artist="Ada Lovelace", date="2024:05:31 17:02:09")).json()
    assert set(job["input"]["kept"].values()) == {None}
    assert b"Lovelace" not in everything_stored(redis)


@pytest.mark.parametrize("damage", ["cut", "noise", "loop"])
def test_metadata_that_cannot_be_read_keep_nothing_and_refuse_nothing(post: Post, damage: str) -> None:
    block = exif_of(artist="Ada", date="2024:05:31 17:02:09").tobytes()
    damaged = {
        "cut": block[:40],
        "noise": block[:14] + b"\xff" * (len(block) - 14),
        "loop": block[:14] + bytes.fromhex("0001 8769 0004 00000001 00000008") + block[28:],
    }
    photo = BytesIO()
    Image.effect_noise((96, 80), 50).convert("RGB").save(photo, "JPEG", exif=damaged[damage])
    answer = post(photo.getvalue(), keep="credit,copyright,date")
    assert answer.status_code == 202
    assert answer.json()["input"]["kept"] == {"credit": None, "copyright": None, "date": None}
