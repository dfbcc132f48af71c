"""Where there are keys, nobody asks without one, and each sees its own jobs alone, in every call there is."""

import re
import secrets
import select
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Event
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from redis import Redis

from app.main import create_app
from app.serving.gate import is_open_to_all
from cli.make import service_at
from diffam_client import KeyRefused
from jobs.access.keys import Key, create_key, revoke_key
from jobs.ledger import Ledger
from jobs.settings import Settings
from tests.app.serving.test_server import FORM, Peer
from tests.app.test_problems import problem, raw_connection

Serve = Callable[[Settings], AbstractContextManager[httpx.Client]]
MOST_READ_BYTES = 128 * 1024
PIECE_BYTES = 4096
OPEN = {"/livez", "/readyz", "/v2/health/live", "/v2/health/ready", "/problems", "/problems/{code}"}
ID = "8a1f0b6e4c7d4e2f9b3a5d6c7e8f9012"


@dataclass(frozen=True)
class Holder:
    """Somebody with a key."""

    client: httpx.Client
    key: Key
    secret: str

    def ask(self, method: str, path: str, **content: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.secret}"} | content.pop("headers", {})
        return self.client.request(method, path, headers=headers, **content)

    def send(self, photo: bytes, method: str = "POST", path: str = "/v1/jobs", **headers: str) -> httpx.Response:
        form: dict[str, Any] = {"files": {"photo": photo}}
        if path != "/v1/faces":
            form["data"] = {"reference_id": "rose"}
        return self.ask(method, path, headers=headers, **form)


@pytest.fixture
def closed(serve: Serve, settings: Settings, redis: Redis) -> Iterator[httpx.Client]:
    """A service that asks for keys, and no client of it has one."""
    redis.ping()
    create_key(settings.keys, "nobody here", ["submit"])
    with serve(settings) as client:
        yield client


@pytest.fixture
def holder(closed: httpx.Client, settings: Settings) -> Callable[..., Holder]:
    """Makes somebody with a key."""

    def make(*scopes: Any) -> Holder:
        return Holder(closed, *create_key(settings.keys, "somebody", scopes or ("submit",)))

    return make


@pytest.fixture
def operations(settings: Settings) -> list[tuple[str, str]]:
    """Every call of the OpenAPI document: method and template."""
    paths = create_app(settings).openapi()["paths"]
    return [(method.upper(), path) for path, each in paths.items() for method in each]


def filled(path: str, job_id: str) -> str:
    """The address of a template: of that job, and of nothing else that is there."""
    return re.sub(r"{\w+}", "nobody", path.replace("{job_id}", job_id))


def test_every_call_but_those_about_the_service_itself_asks_for_a_key(
    closed: httpx.Client, operations: list[tuple[str, str]]
) -> None:
    assert {path for _, path in operations if is_open_to_all(path)} == OPEN
    asked = [(method, path) for method, path in operations if path not in OPEN]
    assert len(asked) >= 19
    for method, path in [*asked, ("GET", "/v1/nothing"), ("POST", "/metrics"), ("GET", "//v1/jobs")]:
        answer = closed.request(method, filled(path, ID), headers={"Authorization": "Basic eDp5"})
        assert (method, path, problem(answer).code) == (method, path, "key_missing")
        assert answer.headers["www-authenticate"] == 'Bearer realm="DiffAM"'
    for path in ("/", "/docs", "/docs/assets/swagger-ui.css", "/openapi.json", "/problems", "/livez"):
        assert closed.get(path).status_code < 400


def test_the_document_says_which_key_a_call_needs(settings: Settings) -> None:
    document = create_app(settings).openapi()
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert (operation.get("security") is None) == (path in OPEN)
    assert document["paths"]["/v1/jobs"]["post"]["security"] == [{"key": ["submit"]}, {}]
    assert document["paths"]["/v1/jobs/{job_id}"]["delete"]["security"] == [{"key": []}, {}]
    assert document["paths"]["/v1/references/{reference_id}"]["delete"]["security"] == [{"key": ["admin"]}, {}]


@pytest.mark.parametrize("state", ["queued", "succeeded", "erased"])
def test_a_foreign_job_is_a_404_in_every_call_and_stays_as_it_is(
    holder: Callable[..., Holder], operations: list[tuple[str, str]], ledger: Ledger, jpeg: bytes,
    finish: Callable[[str], None], state: str,
) -> None:  # fmt: skip
    owner, stranger = holder(), holder("admin")
    job_id = owner.send(jpeg).json()["id"]
    if state == "succeeded":
        finish(job_id)
    if state == "erased":
        assert owner.ask("DELETE", f"/v1/jobs/{job_id}").status_code == 204
    before = owner.ask("GET", f"/v1/jobs/{job_id}")
    about = [(method, path) for method, path in operations if "{job_id}" in path]
    assert len(about) >= 8
    for method, path in about:
        for called in {method, "HEAD" if method == "GET" else method}:
            answer = stranger.ask(called, filled(path, job_id), headers={"Last-Event-ID": "0"})
            assert (called, path, answer.status_code) == (called, path, 404)
        never = stranger.ask(method, filled(path, ID)) if method != "PUT" else None
        if never is not None:
            assert problem(never).code == problem(stranger.ask(method, filled(path, job_id))).code == "unknown_job"
    assert problem(stranger.send(jpeg, "PUT", f"/v1/jobs/{job_id}")).code == "unknown_job"
    after = owner.ask("GET", f"/v1/jobs/{job_id}")
    assert after.status_code == before.status_code == (410 if state == "erased" else 200)
    assert after.headers.get("etag") == before.headers.get("etag")
    assert ledger.owner(job_id) == owner.key.id


def test_no_other_call_tells_of_a_foreign_job(
    holder: Callable[..., Holder], operations: list[tuple[str, str]], jpeg: bytes
) -> None:
    owner, stranger = holder(), holder("admin")
    job_id, own_id = owner.send(jpeg).json()["id"], stranger.send(jpeg).json()["id"]
    others = [(method, path) for method, path in operations if "{job_id}" not in path]
    for method, path in others:
        answer = stranger.ask(method, filled(path, job_id))
        assert (method, path, job_id in answer.text) == (method, path, False)
    listed = {name: who.ask("GET", "/v1/jobs").json()["jobs"] for name, who in (("a", owner), ("b", stranger))}
    assert {name: [job["id"] for job in jobs] for name, jobs in listed.items()} == {"a": [job_id], "b": [own_id]}


def test_the_same_idempotency_key_of_two_keys_makes_two_jobs(holder: Callable[..., Holder], jpeg: bytes) -> None:
    one, two = holder(), holder()
    made = [who.send(jpeg, **{"Idempotency-Key": "holiday"}) for who in (one, two, one, two)]
    ids = [answer.json()["id"] for answer in made]
    assert ids[0] != ids[1]
    assert ids[:2] == ids[2:]
    assert [answer.headers.get("idempotent-replayed") for answer in made] == [None, None, "true", "true"]


def test_an_id_of_ones_own_is_put_again_and_a_strangers_put_changes_nothing(
    holder: Callable[..., Holder], jpeg: bytes, ledger: Ledger
) -> None:
    one, two = holder(), holder()
    assert one.send(jpeg, "PUT", f"/v1/jobs/{ID}").status_code == 202
    assert problem(two.send(jpeg, "PUT", f"/v1/jobs/{ID}")).code == "unknown_job"
    again = one.send(jpeg, "PUT", f"/v1/jobs/{ID}")
    assert (again.status_code, again.headers["idempotent-replayed"]) == (202, "true")
    assert ledger.owner(ID) == one.key.id


def test_a_key_may_do_what_its_scopes_say(holder: Callable[..., Holder]) -> None:
    calls = [
        ("POST", "/v1/jobs"), ("PUT", f"/v1/jobs/{ID}"), ("POST", "/v1/faces"), ("POST", "/v1/references"),
        ("POST", "/v1/references/rose/finetune"), ("DELETE", "/v1/references/nobody"), ("GET", "/v1/references"),
        ("POST", f"/v1/jobs/{ID}/cancel"), ("DELETE", f"/v1/jobs/{ID}"), ("PATCH", "/v1/jobs"),
    ]  # fmt: skip
    refused = {}
    for scope in ("submit", "public", "references", "admin"):
        who = holder(scope)
        answers = {call: who.ask(*call) for call in calls}
        refused[scope] = {call for call, answer in answers.items() if answer.status_code == 403}
        codes = {problem(answers[call]).code for call in refused[scope]}
        assert codes <= {"scope_missing"}
    assert refused == {
        "submit": {*calls[3:6], calls[9]}, "public": {*calls[3:6], calls[9]},
        "references": {*calls[:3], calls[5], calls[9]}, "admin": set(),
    }  # fmt: skip


def test_whoever_reads_a_public_key_in_a_page_finds_nobody_else_s_photos(
    holder: Callable[..., Holder], jpeg: bytes
) -> None:
    everybody = holder("public")
    job_id = everybody.send(jpeg).json()["id"]
    assert everybody.ask("GET", f"/v1/jobs/{job_id}").status_code == 200  # who made it knows its id
    assert problem(everybody.ask("GET", "/v1/jobs")).code == "listing_closed"


def sent_before_the_answer(client: httpx.Client, head: bytes) -> tuple[int, int]:
    """The status, and how many bytes were sent until the answer could be read, by a client that looks after every
    piece of a body of 10 MB."""
    with raw_connection(client) as raw:
        sent = raw.send(head + b"Content-Length: 10000000\r\n\r\n--x\r\n")
        while not select.select([raw], [], [], 0.05)[0]:
            sent += raw.send(bytes(PIECE_BYTES))
            assert sent < 10_000_000
        return Peer(raw).answer()[0].status_code, sent


@pytest.mark.parametrize("case", ["no key", "wrong key", "wrong scope", "oversized", "foreign job"])
def test_a_refused_upload_is_answered_before_its_body_is_read(
    serve: Serve, settings: Settings, redis: Redis, case: str, jpeg: bytes
) -> None:
    redis.ping()
    (_, secret), (_, other) = [create_key(settings.keys, scope, [scope]) for scope in ("submit", "references")]
    sent = {"no key": "", "wrong key": "diffam_wrong", "wrong scope": other}.get(case, secret)
    limits = {"max_upload_bytes": 1_000_000} if case == "oversized" else {}
    with serve(settings.model_copy(update=limits)) as client:
        where = "POST /v1/jobs"
        if case == "foreign job":
            (_, third) = create_key(settings.keys, "third", ["submit"])
            Holder(client, _, third).send(jpeg, "PUT", f"/v1/jobs/{ID}")
            where = f"PUT /v1/jobs/{ID}"
        head = f"{where} HTTP/1.1\r\n".encode() + FORM + f"Authorization: Bearer {sent}\r\n".encode()
        status, count = sent_before_the_answer(client, head)
    expected = {"wrong scope": 403, "oversized": 413, "foreign job": 404}.get(case, 401)
    assert status == expected
    assert count < MOST_READ_BYTES


def test_wrong_keys_are_bounded_by_address_and_lock_nobody_out(
    holder: Callable[..., Holder], closed: httpx.Client, redis: Redis
) -> None:
    who = holder()

    def guess(address: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer diffam_{secrets.token_urlsafe(8)}", "X-Forwarded-For": address}
        return closed.get("/v1/jobs", headers=headers)

    assert {closed.get("/v1/jobs").status_code for _ in range(40)} == {401}  # no key is no guess
    for one, same, other in (
        ("203.0.113.7", "::ffff:203.0.113.7", "203.0.113.8"),
        ("2001:db8:1:2::7", "2001:db8:1:2:ffff::8", "2001:db8:1:3::7"),
    ):
        assert [guess(one).status_code for _ in range(31)] == [401] * 30 + [429]
        refused = guess(same)
        assert (problem(refused).code, refused.status_code) == ("wrong_keys_exceeded", 429)
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert problem(guess(other)).code == "key_refused"
        assert who.ask("GET", "/v1/jobs", headers={"X-Forwarded-For": one}).status_code == 200
    assert not [name for name in redis.scan_iter("*") if b"203.0.113" in name or b"2001" in name]
    for _ in range(30):
        guess("127.0.0.1")
    head = b"POST /v1/jobs HTTP/1.1\r\n" + FORM + b"Authorization: Bearer diffam_wrong\r\n"
    status, sent = sent_before_the_answer(closed, head)
    assert (status, sent < MOST_READ_BYTES) == (429, True)
    for window in redis.scan_iter("diffam:limits*wrong_keys*"):
        assert 0 < redis.ttl(window) <= 60
        redis.delete(window)  # as it goes when it ends
    assert problem(guess("203.0.113.7")).code == "key_refused"


def test_a_revoked_key_stops_at_once_also_in_what_it_waits_for(
    holder: Callable[..., Holder], settings: Settings, jpeg: bytes
) -> None:
    who = holder()
    job = who.send(jpeg).json()["id"]
    ends: dict[str, tuple[int, float]] = {}

    def wait(name: str, path: str, headers: dict[str, str]) -> None:
        answer = who.ask("GET", path, headers=headers)
        ends[name] = answer.status_code, time.monotonic()

    waits = {"poll": (f"/v1/jobs/{job}", {"Prefer": "wait=30"}), "events": (f"/v1/jobs/{job}/events", {})}
    threads = [threading.Thread(target=wait, args=(name, *call)) for name, call in waits.items()]
    for thread in threads:
        thread.start()
    time.sleep(1)
    assert ends == {}
    revoked = time.monotonic()
    revoke_key(settings.keys, who.key.id)
    assert problem(who.ask("GET", f"/v1/jobs/{job}")).code == "key_refused"
    assert problem(who.send(jpeg)).code == "key_refused"
    for thread in threads:
        thread.join()
    assert {name: status for name, (status, _) in ends.items()} == {"poll": 401, "events": 200}
    assert max(at for _, at in ends.values()) - revoked < 3


def test_jobs_from_before_the_first_key_belong_to_nobody(
    serve: Serve, settings: Settings, redis: Redis, jpeg: bytes
) -> None:
    redis.ping()
    with serve(settings) as client:
        form: dict[str, Any] = {"files": {"photo": jpeg}, "data": {"reference_id": "rose"}}
        job_id = client.post("/v1/jobs", **form).json()["id"]
        assert client.get(f"/v1/jobs/{job_id}").status_code == 200
        who = Holder(client, *create_key(settings.keys, "first", ["admin"]))
        assert client.get(f"/v1/jobs/{job_id}").status_code == 401
        assert problem(who.ask("GET", f"/v1/jobs/{job_id}")).code == "unknown_job"
        assert who.ask("GET", "/v1/jobs").json()["jobs"] == []


def test_behind_a_proxy_jobs_are_listed_where_there_are_keys(serve: Serve, settings: Settings, redis: Redis) -> None:
    redis.ping()
    with serve(settings.model_copy(update={"behind_proxy": True})) as client:
        assert problem(client.get("/v1/jobs")).code == "listing_closed"
        assert Holder(client, *create_key(settings.keys, "a", ["submit"])).ask("GET", "/v1/jobs").status_code == 200


def test_a_page_of_an_allowed_origin_may_ask_before_it_sends_its_key(serve: Serve, settings: Settings) -> None:
    create_key(settings.keys, "a", ["submit"])
    page = {"Origin": "http://localhost:5173", "Access-Control-Request-Method": "GET"}
    page |= {"Access-Control-Request-Headers": "authorization"}
    with serve(settings.model_copy(update={"allowed_origins": ("http://localhost:5173",)})) as client:
        answer = client.options("/v1/jobs", headers=page)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-headers"] == "authorization"
        assert problem(client.options("/v1/jobs")).code == "key_missing"
        refused = client.get("/v1/jobs", headers={"Origin": "http://localhost:5173"})
        assert problem(refused).code == "key_missing"
        assert (
            refused.headers["access-control-allow-origin"] == "http://localhost:5173"
        )  # or the page could not read why


def test_a_damaged_file_of_keys_lets_nobody_in_and_says_so(holder: Callable[..., Holder], settings: Settings) -> None:
    who = holder()
    settings.keys.write_text("[")
    assert problem(who.ask("GET", "/v1/jobs")).code == "keys_damaged"
    assert who.ask("GET", "/livez").status_code == 200


def test_the_command_line_sends_its_key_to_a_server(holder: Callable[..., Holder], settings: Settings) -> None:
    who = holder()
    server, keyed = str(who.client.base_url), settings.model_copy(update={"api_key": SecretStr(who.secret)})
    with service_at(server, keyed, Event()) as with_key, service_at(server, settings, Event()) as without:
        assert with_key.references() != []
        with pytest.raises(KeyRefused, match="key_missing"):
            without.references()
