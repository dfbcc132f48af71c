"""Everything but pictures is passed on as it came, to the one instance, or refused; pictures find no other way."""

from collections.abc import Callable
from contextlib import AbstractContextManager, closing, suppress
from http.client import HTTPConnection
from typing import Any

import httpx
import pytest
from mastodon import Mastodon
from redis import Redis

from app.mastodon.instance import PASSED_BYTES
from jobs.access.keys import create_key
from jobs.settings import Settings
from tests.mastodon_instance import TOKEN, Instance

Serve = Callable[[Settings], AbstractContextManager[httpx.Client]]
Upload = Callable[..., httpx.Response]
AS_TEXT = "data:image/png;base64,iVBORw0KGgo="


def posted(instance: Instance) -> list[str]:
    """The pictures of the last post, by the instance's ids."""
    return [each["id"] for each in instance.statuses[-1]["media_attachments"]]


def test_a_call_reaches_the_instance_with_its_token_and_its_answer_comes_back(
    facade: httpx.Client, instance: Instance
) -> None:
    sent = {"Cookie": "a=b", "X-Forwarded-For": "10.0.0.1", "Accept-Language": "de", "TE": "trailers", "X-Other": "1"}
    answer = facade.get("/api/v1/timelines/home?types[]=a&types[]=b&limit=2", headers=sent)
    ((method, target, headers, _),) = instance.asked
    assert (method, target) == ("GET", "/api/v1/timelines/home?types%5B%5D=a&types%5B%5D=b&limit=2")
    assert (headers["authorization"], headers["accept-language"]) == (f"Bearer {TOKEN}", "de")
    assert headers["host"] == f"127.0.0.1:{instance.port}"
    assert not {"cookie", "x-forwarded-for", "te", "x-other", "x-request-id"} & headers.keys()
    assert (answer.status_code, answer.json(), answer.headers["x-ratelimit-remaining"]) == (200, [], "299")
    assert 'rel="next"' in answer.headers["link"]
    assert "set-cookie" not in answer.headers
    assert "sandbox" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("kind", ["form", "multipart", "json"])
def test_posts_are_rewritten_in_every_form_in_which_clients_write_them(
    facade: httpx.Client, instance: Instance, upload: Upload, finish_media: Callable[[str], None], kind: str
) -> None:
    made = [upload(description=str(number)).json()["id"] for number in range(2)]
    for media_id in made:
        finish_media(media_id)
        assert facade.get(f"/api/v1/media/{media_id}").status_code == 200
    theirs = list(instance.media)
    ids = [made[1], theirs[0], made[0]]  # the middle one as the instance calls it, as when a post is edited
    said: dict[str, Any] = {
        "form": {"data": {"status": "naïve & more", "media_ids[]": ids}},
        "multipart": {"files": [("status", (None, "naïve & more")), *(("media_ids[]", (None, each)) for each in ids)]},
        "json": {"json": {"status": "naïve & more", "media_ids": ids, "poll": None}},
    }
    answer = facade.post("/api/v1/statuses", headers={"Idempotency-Key": "once"}, **said[kind])
    assert answer.status_code == 200
    assert posted(instance) == [theirs[1], theirs[0], theirs[0]]
    assert instance.statuses[-1]["content"] == "naïve & more"
    assert instance.asked[-1][2]["idempotency-key"] == "once"


def test_what_an_edited_post_says_of_its_pictures_is_rewritten_too(
    facade: httpx.Client, instance: Instance, upload: Upload, finish_media: Callable[[str], None]
) -> None:
    media_id = upload().json()["id"]
    finish_media(media_id)
    attributes = [{"id": media_id, "description": "new"}]
    said = {"status": "edited", "media_ids": [media_id], "media_attributes": attributes}
    assert facade.put("/api/v1/statuses/7", json=said).status_code == 200
    (there,) = instance.media
    assert f'"media_attributes": [{{"id": "{there}", "description": "new"}}]'.encode() in instance.asked[-1][3]


@pytest.mark.parametrize(
    "said",
    [
        {"files": {"avatar": b"\xff\xd8\xff"}},
        {"data": {"avatar": AS_TEXT}},
        {"data": {"avatar": f"\n {AS_TEXT.upper()}"}},
        {"json": {"profile": {"deep": [{"avatar": AS_TEXT}]}}},
        {"params": {"avatar": AS_TEXT}},
        {"content": b"\xff\xd8\xff", "headers": {"Content-Type": "image/jpeg"}},
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/accounts/update_credentials", "/api/v2/media/", "/api/v3/media"])
def test_no_picture_is_passed_on_by_another_way(
    facade: httpx.Client, instance: Instance, said: dict[str, Any], path: str
) -> None:
    answer = facade.patch(path, **said)
    assert answer.status_code in (415, 422)
    assert answer.json()["error"]
    assert instance.asked == []


def test_a_picture_as_text_is_no_upload_and_a_post_may_begin_with_the_word_data(
    facade: httpx.Client, instance: Instance
) -> None:
    texts: list[dict[str, Any]] = [{"data": {"file": AS_TEXT}}, {"json": {"file": AS_TEXT}}]
    for said in texts:
        assert facade.post("/api/v2/media", **said).status_code in (415, 422)
    assert facade.post("/api/v1/statuses", data={"status": "data: what we know"}).status_code == 200
    assert instance.media == {}


def test_fields_of_a_profile_pass_without_its_pictures(facade: httpx.Client, instance: Instance) -> None:
    form = {"display_name": (None, "Ada"), "note": (None, "")}
    assert facade.patch("/api/v1/accounts/update_credentials", files=form).status_code == 200
    assert instance.asked[-1][3] == b"display_name=Ada&note="


def test_no_other_address_is_asked_and_no_redirect_followed(facade: httpx.Client, instance: Instance) -> None:
    moved = facade.get("/api/v1/moved")
    assert (moved.status_code, moved.headers["location"]) == (307, "http://127.0.0.1:1/elsewhere")
    asked = len(instance.asked)
    here = facade.base_url
    for path in ("/api/../admin", "/api/%2e%2e/admin", "/api//evil.example/x", "/api/v1/%5c..%5cx", "/api/./v1/x"):
        with closing(HTTPConnection(here.host, here.port or 80, timeout=60)) as raw:  # which sends a path as it is
            raw.request("GET", path)
            assert raw.getresponse().status == 404, path
    assert facade.get("/api/@evil.example/").status_code == 404
    assert len(instance.asked) == asked


def test_an_answer_without_an_end_is_cut_off(facade: httpx.Client) -> None:
    read = 0
    with facade.stream("GET", "/api/v1/endless") as answer, suppress(httpx.RemoteProtocolError):
        for piece in answer.iter_bytes():
            read += len(piece)
    assert PASSED_BYTES // 2 < read <= PASSED_BYTES
    assert facade.get("/api/v1/streaming/user").json()["code"] == "not_passed_on"


def test_where_only_pictures_are_let_through_they_can_be_posted_and_nothing_else_is(
    serve: Serve, settings: Settings, redis: Redis, instance: Instance
) -> None:
    redis.ping()
    with serve(settings.model_copy(update={"mastodon_other": "refuse"})) as client:
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        for call in ("/api/v1/timelines/home", "/oauth/token", "/nodeinfo/2.0", "/api/v1/accounts/1/follow"):
            refused = client.get(call)
            assert (refused.status_code, refused.json()["code"]) == (403, "not_passed_on")
        assert instance.asked == []
        assert client.post("/api/v1/statuses", data={"status": "hello"}).status_code == 200
        assert client.get("/api/v2/instance/").json()["domain"] == "social.example"


def test_people_log_in_through_it_at_the_instance(facade: httpx.Client, instance: Instance) -> None:
    here = str(facade.base_url).rstrip("/")
    client_id, client_secret = Mastodon.create_app("a client", api_base_url=here)
    ada = Mastodon(client_id, client_secret, api_base_url=here)
    login = httpx.get(ada.auth_request_url(redirect_uris="urn:ietf:wg:oauth:2.0:oob"))
    assert login.status_code == 307
    assert login.headers["location"].startswith(f"{instance.url}/oauth/authorize?client_id=client&")
    assert ada.log_in(code="the-code", scopes=["read", "write"]) == TOKEN
    assert ada.timeline_home() == []


def test_keys_of_the_service_are_asked_for_everywhere_else(
    serve: Serve, settings: Settings, redis: Redis, jpeg: bytes
) -> None:
    redis.ping()
    _, secret = create_key(settings.keys, "somebody", ["submit"])
    with serve(settings) as client:
        answer = client.post("/api/v2/media", files={"file": jpeg}, headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 202
        assert answer.headers["RateLimit"].startswith('"requests";r=299;')
        with_a_key = client.post("/api/v2/media", files={"file": jpeg}, headers={"Authorization": f"Bearer {secret}"})
        assert (with_a_key.status_code, with_a_key.json()["error"]) == (401, "The access token is invalid")
        assert client.get("/v1/jobs", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 401
        assert client.get("/v1/jobs", headers={"Authorization": f"Bearer {secret}"}).json() == {"jobs": []}


def test_whoever_makes_tokens_up_is_counted_by_their_address(
    serve: Serve, settings: Settings, redis: Redis, instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.serving import guests

    redis.ping()
    monkeypatch.setattr(guests, "PER_ADDRESS", guests.PER_TOKEN.model_copy(update={"requests_per_minute": 4}))
    with serve(settings) as client:
        answers = [
            client.get("/api/v1/media/1", headers={"Authorization": f"Bearer made-up-{number}"}) for number in range(5)
        ]
    assert [each.status_code for each in answers] == [401] * 4 + [429]
    assert answers[-1].json()["error"]
    assert len(instance.asked) == 4


def test_an_instance_that_does_not_answer_is_told_of(
    serve: Serve, settings: Settings, redis: Redis, jpeg: bytes
) -> None:
    redis.ping()
    with serve(settings.model_copy(update={"mastodon_url": "http://127.0.0.1:1"})) as client:
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        for answer in (client.get("/api/v1/timelines/home"), client.post("/api/v2/media", files={"file": jpeg})):
            assert (answer.status_code, answer.json()["code"]) == (502, "instance_unreachable")


def test_without_an_instance_there_is_no_such_address(client: httpx.Client, jpeg: bytes) -> None:
    answer = client.post("/api/v2/media", files={"file": jpeg}, headers={"Authorization": f"Bearer {TOKEN}"})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "url",
    ["http://social.example", "https://social.example/path", "https://me@social.example", "social.example", "ftp://a"],
)
def test_an_instance_that_tokens_must_not_be_sent_to_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ValueError, match="instance"):
        Settings(_env_file=None, mastodon_url=url)
    assert Settings(_env_file=None, mastodon_url="https://social.example/").mastodon_url == "https://social.example"
