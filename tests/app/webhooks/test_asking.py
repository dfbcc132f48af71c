"""What cannot be told, or must not be, is refused before there is a job, and says which field is wrong and why."""

import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from redis import Redis

from app.main import create_app
from diffam_client.contract.problem import ProblemDocument
from diffam_client.contract.webhook import Webhook
from jobs.access.keys import create_key
from jobs.ledger import Ledger
from jobs.settings import Settings
from jobs.webhooks.secrets import remove_secrets, secret_of
from tests.app.test_keys import Holder
from tests.app.test_problems import problem
from tests.app.webhooks.conftest import Serve
from tests.app.webhooks.test_addresses import listening
from tests.app.webhooks.test_webhooks import errors
from tests.receiver import Receiver, eventually, verified

Ask = Callable[..., httpx.Response]
Finish = Callable[[str], None]
URL = "https://photos.example.org/hook"
FORBIDDEN = [
    "http://photos.example.org/hook", "https://127.0.0.1/hook", "https://[::1]:8443/", "https://localhost/", "https://a.localhost/",
    "https://LOCALHOST./", "https://10.1.2.3/", "https://169.254.169.254/latest/meta-data", "https://[::ffff:169.254.169.254]/",
    "https://[fd00:ec2::254]/", "https://0.0.0.0/", "https://224.0.0.1/", "http://127.0.0.1:6379/",
]  # fmt: skip
INVALID = [
    "photos.example.org/hook", "ftp://photos.example.org/", "https://", "https:///hook", "https://me:secret@example.org/",
    "https://example.org/#here", "file:///etc/passwd", "gopher://127.0.0.1:6379/_FLUSHALL", "https://exa mple.org/",
    "https://example.org:99999/", "https://example.org:0/", "javascript:alert(1)", f"https://example.org/{'a' * 2000}",
]  # fmt: skip


@pytest.fixture
def closed(settings: Settings) -> Settings:
    """This machine may not be told."""
    return settings.model_copy(update={"webhook_loopback": False})


@pytest.fixture
def ask(serve: Serve, closed: Settings, redis: Redis, secret: str, jpeg: bytes) -> Any:
    """Sends a photo to a service that tells public addresses alone."""
    assert redis.ping()
    assert secret
    with serve(closed) as client:

        def post(**fields: str) -> httpx.Response:
            form = {"reference_id": "rose"} | fields
            return client.post("/v1/jobs", files={"photo": ("me.jpg", jpeg)}, data=form)

        yield post


def wrong(answer: httpx.Response) -> tuple[str, str | None]:
    """The code and the field of a refusal."""
    document: ProblemDocument = problem(answer)
    return document.code, document.param


@pytest.mark.parametrize(("urls", "code"), [(FORBIDDEN, "webhook_forbidden"), (INVALID, "invalid_field")])
def test_what_is_no_address_or_plainly_not_public_is_refused(
    ask: Ask, urls: list[str], code: str, redis: Redis
) -> None:
    assert {url: wrong(ask(webhook_url=url)) for url in urls} == dict.fromkeys(urls, (code, "webhook_url"))
    assert redis.zcard("diffam:index") == 0


def test_a_public_address_is_taken_as_it_will_be_asked(ask: Ask, ledger: Ledger) -> None:
    job = ask(webhook_url="HTTPS://Photos.Example.org:443/Hook?a=b c", webhook_events="job.failed, job.failed").json()
    assert job["webhook"] == {"url": "https://photos.example.org/Hook?a=b%20c", "events": ["job.failed"]}
    assert ledger.get(job["id"]).webhook is not None


def test_fields_that_do_not_hold_together_are_refused(ask: Ask) -> None:
    assert wrong(ask(webhook_events="job.failed")) == ("invalid_field", "webhook_events")
    assert wrong(ask(webhook_url=URL, webhook_events="job.melted")) == ("invalid_field", "webhook_events")
    assert wrong(ask(webhook_url=URL, webhook_events=",")) == ("invalid_field", "webhook_events")
    assert wrong(ask(client_ref="x" * 201)) == ("invalid_field", "client_ref")


def test_events_may_come_one_by_one(ask: Ask) -> None:
    several: Any = ["job.started", "job.failed"]
    assert ask(webhook_url=URL, webhook_events=several).json()["webhook"]["events"] == several


def test_what_is_not_stored_has_no_webhook(ask: Ask) -> None:
    answer = problem(ask(webhook_url=URL, store="0"))
    assert {(each.param, each.code) for each in answer.errors} >= {("webhook_url", "invalid_field")}


def test_without_a_secret_a_webhook_is_refused_and_other_mistakes_are_told_too(ask: Ask, settings: Settings) -> None:
    remove_secrets(settings.webhooks, "")
    answer = problem(ask(webhook_url="http://10.0.0.1/", reference_id="tulip"))
    assert {(each.param, each.code) for each in answer.errors} == {
        ("reference_id", "unknown_reference"), ("webhook_url", "webhook_forbidden"), ("webhook_url", "webhooks_off"),
    }  # fmt: skip
    assert ask().status_code == 202


def test_a_damaged_file_of_secrets_is_told_and_costs_nobody_else_anything(ask: Ask, settings: Settings) -> None:
    settings.webhooks.write_text("[")
    assert problem(ask(webhook_url=URL)).code == "webhook_secrets_damaged"
    assert ask().status_code == 202


def test_a_name_is_looked_up_when_it_is_told_and_nothing_is_sent_to_what_it_then_means(
    serve: Serve, closed: Settings, redis: Redis, secret: str, jpeg: bytes, finish: Finish
) -> None:
    assert redis.ping()
    assert secret
    with listening() as (port, connected), serve(closed) as client:
        for name in (socket.gethostname(), "2130706433", "127.1", "does-not-exist.invalid"):
            form = {"reference_id": "rose", "webhook_url": f"https://{name}:{port}/hook"}
            job = client.post("/v1/jobs", files={"photo": ("me.jpg", jpeg)}, data=form).json()
            finish(job["id"])
            assert eventually(lambda job=job: len(errors(client, job)[0]) >= 2)  # type: ignore[misc]
            assert set(errors(client, job)[0]) == {"no_public_address"}
    assert connected == [False]


def test_each_key_has_a_secret_of_its_own_and_a_stranger_sees_no_deliveries(
    serve: Serve, settings: Settings, redis: Redis, receiver: Receiver, finish: Finish, jpeg: bytes
) -> None:
    assert redis.ping()
    keys = [create_key(settings.keys, name, ["submit"]) for name in ("one", "two", "three")]
    signing = [secret_of(settings.webhooks, key.id) for key, _ in keys[:2]]
    with serve(settings) as client:
        one, two, three = (Holder(client, key, secret) for key, secret in keys)
        form: dict[str, Any] = {
            "files": {"photo": jpeg}, "data": {"reference_id": "rose", "webhook_url": receiver.url},
        }  # fmt: skip
        for number, who in enumerate((one, two)):
            job = who.ask("POST", "/v1/jobs", **form).json()
            finish(job["id"])
            assert eventually(lambda number=number: len(receiver.messages) == number + 1)  # type: ignore[misc]
            assert all(verified(each, signing[number]) for each in receiver.all[2 * number :])
            assert who.ask("GET", job["links"]["deliveries"]).status_code == 200
            assert problem(three.ask("GET", job["links"]["deliveries"])).code == "unknown_job"
            assert problem(three.ask("POST", f"/v1/jobs/{job['id']}/redeliver")).code == "unknown_job"
        assert receiver.challenges == 2
        assert problem(three.ask("POST", "/v1/jobs", **form)).code == "webhooks_off"


def test_a_repeated_request_with_another_webhook_is_another_request(ask: Ask, jpeg: bytes) -> None:
    first = ask(webhook_url=URL)
    client = httpx.Client(base_url=str(first.request.url.join("/")))
    with client:

        def send(url: str) -> httpx.Response:
            form = {"reference_id": "rose", "webhook_url": url}
            return client.post("/v1/jobs", files={"photo": jpeg}, data=form, headers={"Idempotency-Key": "holiday"})

        assert [send(url).status_code for url in (URL, URL, f"{URL}2")] == [202, 202, 422]


@pytest.mark.parametrize("events", [["job.succeeded"], "job.succeeded"])
def test_a_training_may_be_told_of_too(
    serve: Serve, closed: Settings, redis: Redis, secret: str, events: list[str] | str, ledger: Ledger
) -> None:
    assert redis.ping()
    assert secret
    with serve(closed) as client:
        order = {"target_id": "bea", "held_out": "ir50", "surrogates": [], "client_ref": "night"}
        told = {"webhook_url": URL, "webhook_events": events}
        answers = [
            client.post("/v1/references/rose/finetune", json=order | extra)
            for extra in (told, told | {"webhook_url": "https://10.0.0.1/"}, {"webhook_events": ["job.failed"]})
        ]
        codes = [answer.json().get("code") for answer in answers]
        job = ledger.get(answers[0].json()["id"])
        assert (job.client_ref, job.webhook) == ("night", Webhook(url=URL, events=("job.succeeded",)))
        assert codes[1:] == ["webhook_forbidden", "invalid_field"]
        half = b'{"target_id": "bea", "held_out": "ir50", "client_ref": "\\ud800"}'  # of a character
        as_json = {"Content-Type": "application/json"}
        assert client.post("/v1/references/rose/finetune", content=half, headers=as_json).status_code == 422


def test_a_new_reference_may_be_told_of_too(
    serve: Serve, closed: Settings, redis: Redis, secret: str, jpeg: bytes, ledger: Ledger
) -> None:
    assert redis.ping()
    assert secret
    form = {"reference_id": "dusk", "title": "Dusk", "client_ref": "mine", "webhook_url": URL}
    with serve(closed) as client:
        job = client.post("/v1/references", files={"picture": jpeg}, data=form).json()
        assert (job["client_ref"], job["webhook"]["url"], job["input"]["title"]) == ("mine", URL, "Dusk")
        refused = client.post(
            "/v1/references", files={"picture": jpeg}, data=form | {"webhook_url": "https://10.0.0.1"}
        )
        assert wrong(refused) == ("webhook_forbidden", "webhook_url")
        assert ledger.get(job["id"]).kind == "finetune"
        faces = client.post("/v1/faces", files={"photo": jpeg}, data={"webhook_url": URL})
        assert wrong(faces) == ("invalid_field", "webhook_url")


def test_the_document_tells_what_is_sent(settings: Settings) -> None:
    document = create_app(settings).openapi()
    assert set(document["webhooks"]) == {
        "job.started", "job.succeeded", "job.failed", "job.canceled", "endpoint.verification",
    }  # fmt: skip
    form = document["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert {"webhook_url", "webhook_events", "client_ref"} < form["properties"].keys()
    assert form["properties"]["webhook_url"]["format"] == "uri"


def test_nobody_is_told_for_a_public_key_also_where_it_has_a_secret(
    serve: Serve, settings: Settings, redis: Redis, jpeg: bytes
) -> None:
    assert redis.ping()
    key, secret = create_key(settings.keys, "a page", ["public"])
    assert secret_of(settings.webhooks, key.id)
    form: dict[str, Any] = {"files": {"photo": jpeg}, "data": {"reference_id": "rose", "webhook_url": URL}}
    with serve(settings) as client:
        refused = Holder(client, key, secret).ask("POST", "/v1/jobs", **form)
    assert wrong(refused) == ("webhooks_off", "webhook_url")
