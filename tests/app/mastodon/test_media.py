"""Pictures reach the instance protected, with all that goes with them, or not at all."""

import threading
import time
from collections.abc import Callable

import httpx
import pytest
from mastodon import Mastodon, MastodonAPIError, MastodonNotFoundError, MastodonUnauthorizedError
from redis import Redis
from starlette.responses import JSONResponse

from app.mastodon.notes import name_of
from jobs.errors import ErasedJob
from jobs.ledger import Ledger
from jobs.settings import Settings
from tests.app.mastodon.conftest import PROTECTED, Serve
from tests.mastodon_instance import READER, STRANGER, TOKEN, Instance

Upload = Callable[..., httpx.Response]
Work = Callable[[str], None]
Call = Callable[[], object]
MP4 = b"\0\0\0\x18ftypisom\0\0\2\0isomiso2"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_post_has_the_protected_picture_with_its_description_and_focus(
    ada: Mastodon, instance: Instance, finish_media: Work, jpeg: bytes
) -> None:
    media = ada.media_post(jpeg, "image/jpeg", description="Ada, waving 👋", focus=(-0.42, 0.69))
    assert (media.type, media.url, media.description) == ("image", None, "Ada, waving 👋")
    finish_media(media.id)
    status = ada.status_post("Hello", media_ids=[media])
    (posted,) = status.media_attachments
    assert instance.digests == {PROTECTED}
    assert not instance.holds(jpeg)
    assert instance.media[posted.id].sha256 == PROTECTED
    assert posted.id != media.id
    assert posted.description == "Ada, waving 👋"
    assert (posted.meta.focus.x, posted.meta.focus.y) == (-0.42, 0.69)
    assert instance.media[posted.id].file_name == "media.png"


def test_a_post_waits_for_its_pictures(ada: Mastodon, instance: Instance, finish_media: Work, jpeg: bytes) -> None:
    instance.looks = 2
    media = [ada.media_post(jpeg, "image/jpeg", description=name) for name in ("first", "second")]

    def work_later() -> None:
        for each in media:
            time.sleep(0.3)
            finish_media(each.id)

    worker = threading.Thread(target=work_later)
    worker.start()
    status = ada.status_post("Both", media_ids=media)
    worker.join()
    assert [each.description for each in status.media_attachments] == ["first", "second"]


def test_what_polls_sees_206_until_the_instance_has_the_picture_and_is_done_with_it(
    upload: Upload, facade: httpx.Client, instance: Instance, finish_media: Work, ledger: Ledger
) -> None:
    instance.looks = 1
    sent = upload(description="me")
    media_id = sent.json()["id"]
    assert (sent.status_code, sent.json()["url"], sent.json()["meta"]["original"]["size"]) == (202, None, "96x80")
    assert facade.get(f"/api/v1/media/{media_id}").status_code == 206
    assert instance.media == {}
    finish_media(media_id)
    answers = [facade.get(f"/api/v1/media/{media_id}") for _ in range(3)]
    assert [each.status_code for each in answers] == [206, 200, 200]
    assert {each.json()["id"] for each in answers} == {media_id}
    assert answers[-1].json()["url"].startswith("https://files.example/")
    assert instance.digests == {PROTECTED}
    with pytest.raises(ErasedJob):
        ledger.get(name_of(media_id, TOKEN))


def test_of_many_who_ask_at_once_one_hands_the_picture_on(
    upload: Upload, facade: httpx.Client, instance: Instance, finish_media: Work
) -> None:
    instance.takes_s = 0.2
    media_id = upload().json()["id"]
    finish_media(media_id)
    threads = [threading.Thread(target=facade.get, args=[f"/api/v1/media/{media_id}"]) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(instance.media) == 1
    assert facade.get(f"/api/v1/media/{media_id}").status_code == 200


def test_the_original_of_a_picture_that_could_not_be_protected_goes_nowhere(
    ada: Mastodon, instance: Instance, fail_media: Work, jpeg: bytes
) -> None:
    media = ada.media_post(jpeg, "image/jpeg")
    fail_media(media.id)
    calls: list[Call] = [lambda: ada.media(media), lambda: ada.status_post("Hello", media_ids=[media])]
    for call in calls:
        with pytest.raises(MastodonAPIError, match=r"could not be protected.*no face in the photo") as caught:
            call()
        assert caught.value.args[1] == 422
    assert instance.media == {}
    assert instance.statuses == []
    assert not instance.holds(jpeg)


def test_films_are_refused_and_passed_on_where_the_operator_says_so_but_nothing_that_is_merely_no_photo(
    upload: Upload, serve: Serve, settings: Settings, instance: Instance
) -> None:
    for start in (MP4, b"GIF89a...", b"ID3..."):
        refused = upload(("a", start, "video/mp4"))
        assert (refused.status_code, refused.json()["code"]) == (415, "film_refused")
    assert instance.media == {}
    with serve(settings.model_copy(update={"mastodon_films": "pass"})) as client:
        files = {"file": ("at home.mp4", MP4, "video/mp4")}
        answer = client.post("/api/v2/media", files=files, data={"description": "d"}, headers=bearer(TOKEN))
        assert client.get(f"/api/v1/media/{answer.json()['id']}", headers=bearer(TOKEN)).status_code == 200
        for damaged in (b"\xff\xd8\xff nothing", b"no picture", b"\x89PNG\r\n\x1a\n", b"\0\0\0\x18ftypheic", b""):
            no_photo = client.post(
                "/api/v2/media", files={"file": ("a.mp4", damaged, "video/mp4")}, headers=bearer(TOKEN)
            )
            assert no_photo.status_code in (415, 422)
            assert no_photo.json()["error"]
    (film,) = instance.media.values()
    assert (film.content, film.media_type, film.file_name, film.description) == (MP4, "video/mp4", "media.mp4", "d")
    assert answer.json()["id"] == film.id


def test_a_thumbnail_is_refused_and_so_is_a_second_picture(
    facade: httpx.Client, jpeg: bytes, instance: Instance
) -> None:
    for parts in ([("file", jpeg), ("thumbnail", jpeg)], [("file", jpeg), ("file", jpeg)], [("thumbnail", jpeg)]):
        answer = facade.post("/api/v2/media", files=parts)
        assert (answer.status_code, answer.json()["code"]) == (422, "media_refused")
    assert instance.media == {}


@pytest.mark.parametrize("token", [READER, "made-up"])
def test_a_token_that_the_instance_refuses_is_refused_before_the_picture_is_read(
    upload: Upload, instance: Instance, redis: Redis, token: str
) -> None:
    answer = upload(bytes(8_000_000), headers=bearer(token))
    assert (answer.status_code, answer.json()) == (401, {"error": "The access token is invalid"})
    assert answer.headers["connection"] == "close"
    assert list(redis.scan_iter("diffam:job:*")) == list(redis.scan_iter("diffam:attachment:*")) == []
    assert len(instance.asked) == 1


def test_without_a_token_nothing_is_taken(facade: httpx.Client, jpeg: bytes, instance: Instance) -> None:
    del facade.headers["Authorization"]
    answer = facade.post("/api/v2/media", files={"file": jpeg})
    assert (answer.status_code, answer.json()["code"]) == (401, "key_missing")
    assert instance.asked == []


def test_an_attachment_is_there_for_the_token_that_made_it_alone(
    upload: Upload, facade: httpx.Client, ada: Mastodon, instance: Instance, finish_media: Work
) -> None:
    media_id = upload().json()["id"]
    finish_media(media_id)
    bob = Mastodon(access_token=STRANGER, api_base_url=ada.api_base_url)
    calls: list[Call] = [lambda: bob.media(media_id), lambda: bob.media_update(media_id, description="mine")]
    for call in calls:
        with pytest.raises(MastodonNotFoundError, match="Record not found"):
            call()
    with pytest.raises(MastodonAPIError):
        bob.status_post("Mine", media_ids=[media_id])
    assert instance.media == {}
    assert facade.get(f"/v1/jobs/{name_of(media_id, STRANGER)}").status_code == 404
    assert ada.media(media_id).url


def test_tokens_are_nowhere_in_the_store_and_descriptions_leave_it_with_the_picture(
    upload: Upload, facade: httpx.Client, redis: Redis, finish_media: Work
) -> None:
    def held(secret: bytes) -> list[bytes]:
        dumps = {name: redis.dump(name) for name in redis.scan_iter()}
        return [name for name, dump in dumps.items() if secret in name or (isinstance(dump, bytes) and secret in dump)]

    media_id = upload(description="waving").json()["id"]
    assert [name[:17] for name in held(b"waving")] == [b"diffam:attachment"]
    assert held(TOKEN.encode()) == []
    finish_media(media_id)
    assert facade.get(f"/api/v1/media/{media_id}").status_code == 200
    assert held(b"waving") == held(b"protected") == held(TOKEN.encode()) == []


def test_description_and_focus_change_before_and_after_the_instance_has_the_picture(
    ada: Mastodon, instance: Instance, finish_media: Work, jpeg: bytes
) -> None:
    media = ada.media_post(jpeg, "image/jpeg", description="old")
    assert ada.media_update(media, description="new", focus=(0.5, 0.5)).description == "new"
    finish_media(media.id)
    assert ada.media(media).description == "new"
    (there,) = instance.media.values()
    assert (there.description, there.focus) == ("new", "0.5,0.5")
    changed = ada.media_update(media, description="newer")
    assert (changed.id, changed.description, there.description) == (media.id, "newer", "newer")


def test_an_attachment_is_erased_wherever_it_is(
    upload: Upload, facade: httpx.Client, instance: Instance, finish_media: Work, ledger: Ledger
) -> None:
    here, there = (upload().json()["id"] for _ in range(2))
    finish_media(there)
    facade.get(f"/api/v1/media/{there}")
    assert len(instance.media) == 1
    assert [facade.delete(f"/api/v1/media/{each}").status_code for each in (here, there)] == [200, 200]
    assert instance.media == {}
    with pytest.raises(ErasedJob):
        ledger.get(name_of(here, TOKEN))
    assert [facade.get(f"/api/v1/media/{each}").status_code for each in (here, there)] == [404, 404]


def test_what_the_instance_says_of_a_picture_is_passed_on_and_the_picture_waits(
    upload: Upload, facade: httpx.Client, instance: Instance, finish_media: Work
) -> None:
    media_id = upload().json()["id"]
    finish_media(media_id)
    instance.refuses = JSONResponse({"error": "too many pictures lately"}, 429)
    refused = facade.get(f"/api/v1/media/{media_id}")
    assert (refused.status_code, refused.json()["error"]) == (429, "too many pictures lately")
    instance.refuses = None
    assert facade.get(f"/api/v1/media/{media_id}").status_code == 200


def test_the_older_call_waits_for_the_picture(upload: Upload, redis: Redis, finish: Work) -> None:
    def work() -> None:
        while not (waiting := list(redis.scan_iter("diffam:job:*"))):
            time.sleep(0.02)
        finish(waiting[0].decode().rpartition(":")[2])

    worker = threading.Thread(target=work)
    worker.start()
    answer = upload(path="/api/v1/media")
    worker.join()
    assert answer.status_code == 200
    assert answer.json()["url"]


def test_attachments_outlive_the_web_process(
    upload: Upload, serve: Serve, settings: Settings, finish_media: Work, instance: Instance
) -> None:
    first, second = (upload().json()["id"] for _ in range(2))
    with serve(settings) as another:
        another.headers.update(bearer(TOKEN))
        finish_media(first)
        assert another.get(f"/api/v1/media/{first}").status_code == 200
        finish_media(second)
    with serve(settings) as third:
        form = {"status": "Both", "media_ids[]": [first, second]}
        posted = third.post("/api/v1/statuses", data=form, headers=bearer(TOKEN)).json()
    assert [each["id"] for each in posted["media_attachments"]] == list(instance.media)


def test_the_wish_is_the_operators_unless_the_request_brings_its_own(
    serve: Serve, settings: Settings, redis: Redis, jpeg: bytes, ledger: Ledger
) -> None:
    def wished(client: httpx.Client, **headers: str) -> httpx.Response:
        return client.post("/api/v2/media", files={"file": jpeg}, headers=bearer(TOKEN) | headers)

    redis.ping()
    with serve(settings.model_copy(update={"mastodon_wish": {"strength": "0.5", "regions": "lips"}})) as client:
        usual = wished(client).json()["id"]
        own = wished(client, **{"DiffAM-Wish": "regions=eyes,skin&quality=60"}).json()["id"]
        wrong = [
            wished(client, **{"DiffAM-Wish": text})
            for text in ("reference_id=nobody", "candidates=2", "webhook_url=https://a.example", "strength=2", "what")
        ]
    asked = [ledger.get(name_of(each, TOKEN)).input.model_dump() for each in (usual, own)]
    assert [(each["reference_id"], each["output_format"]) for each in asked] == [("rose", "jpeg")] * 2
    assert [(each["strength"], each["regions"]) for each in asked] == [(0.5, ("lips",)), (0.5, ("eyes", "skin"))]
    assert asked[1]["quality"] == 60
    assert [each.status_code for each in wrong] == [422] * 5
    assert all(each.json()["error"] for each in wrong)


def test_one_token_has_only_so_many_pictures_on_their_way(upload: Upload) -> None:
    answers = [upload() for _ in range(9)]
    assert [each.status_code for each in answers] == [202] * 8 + [429]
    assert answers[-1].json()["code"] == "too_many_jobs"


def test_mastodons_own_errors_reach_its_client(ada: Mastodon, jpeg: bytes) -> None:
    ada.access_token = "made-up"
    with pytest.raises(MastodonUnauthorizedError, match="The access token is invalid"):
        ada.media_post(jpeg, "image/jpeg")
