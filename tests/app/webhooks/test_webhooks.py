"""Whoever asked to be told of a job is told: at least once, in order, signed; and no more when they say so."""

import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from redis import Redis
from standardwebhooks import WebhookVerificationError

from jobs.settings import Settings
from jobs.webhooks.secrets import remove_secrets, rotate_secret
from tests.app.webhooks.conftest import Send, Serve
from tests.receiver import OK, Receiver, Reply, eventually, receiving, verified

Finish = Callable[[str], None]
EVERY = "job.started,job.succeeded,job.failed,job.canceled"
TELLING = ["job.started", "job.succeeded"]


def deliveries(client: httpx.Client, job: dict[str, Any]) -> dict[str, Any]:
    """What the service tells of a job's webhook."""
    told: dict[str, Any] = client.get(job["links"]["deliveries"]).json()
    return told


def states(client: httpx.Client, job: dict[str, Any]) -> list[str]:
    """Of its messages."""
    return [message["state"] for message in deliveries(client, job)["messages"]]


def errors(client: httpx.Client, job: dict[str, Any]) -> list[list[str | None]]:
    """Of the attempts of each of its messages."""
    return [[each["error"] for each in message["attempts"]] for message in deliveries(client, job)["messages"]]


def behaving(replies: Iterable[Reply]) -> Callable[[int], Reply]:
    """Those, one after the other, and OK ever after."""
    given = list(replies)
    return lambda number: given[number] if number < len(given) else OK


def test_a_message_is_thin_signed_and_comes_after_a_challenge(
    service: httpx.Client, send: Send, receiver: Receiver, finish: Finish, secret: str
) -> None:
    job = send(client_ref="holiday/42")
    assert job["client_ref"] == "holiday/42"
    assert job["webhook"] == {"url": receiver.url, "events": ["job.succeeded", "job.failed", "job.canceled"]}
    assert "redeliver" not in job["links"]
    finish(job["id"])
    assert eventually(lambda: receiver.messages)
    challenge, message = receiver.all
    assert (challenge.told["type"], message.path) == ("endpoint.verification", "/hook")
    assert verified(challenge, secret)
    assert verified(message, secret)
    over = service.get(f"/v1/jobs/{job['id']}").json()
    assert message.told == {
        "type": "job.succeeded",
        "timestamp": over["finished_at"],
        "data": {
            "id": job["id"], "kind": "protect", "status": "succeeded", "client_ref": "holiday/42",
            "url": f"/v1/jobs/{job['id']}",
        },
    }  # fmt: skip
    assert {"deliveries", "redeliver"} < over["links"].keys()
    assert eventually(lambda: states(service, job) == ["delivered"])
    told = deliveries(service, job)
    (attempt,) = told["messages"][0].pop("attempts")
    assert (attempt["status_code"], attempt["error"], attempt["message_id"]) == (200, None, message.id)
    assert told == {
        "webhook": over["webhook"],
        "endpoint": "verified",
        "messages": [
            {
                "id": message.id, "type": "job.succeeded", "at": over["finished_at"], "state": "delivered", "tries": 1,
                "next_attempt_at": None,
            }
        ],
    }  # fmt: skip


def test_an_endpoint_is_challenged_once_whatever_it_is_told_of(send: Send, receiver: Receiver, finish: Finish) -> None:
    for _ in range(3):
        finish(send()["id"])
    assert eventually(lambda: len(receiver.messages) == 3)
    assert receiver.challenges == 1


@pytest.mark.parametrize(
    "reply", [lambda _: OK, lambda _: Reply(body=b'{"challenge": "x"}'), lambda text: Reply(500, body=text.encode())]
)
def test_whoever_does_not_answer_the_challenge_is_told_nothing(
    service: httpx.Client, send: Send, receiver: Receiver, finish: Finish, reply: Callable[[str], Reply]
) -> None:
    receiver.on_challenge = reply
    job = send()
    finish(job["id"])
    assert eventually(lambda: receiver.challenges >= 3)
    assert receiver.messages == []
    told = deliveries(service, job)
    assert (told["endpoint"], told["messages"][0]["state"]) == ("unverified", "pending")
    assert set(errors(service, job)[0]) <= {"challenge", "status"}


def test_a_challenge_that_is_not_answered_keeps_other_jobs_of_the_endpoint_from_asking_as_often(
    send: Send, receiver: Receiver, finish: Finish
) -> None:
    receiver.on_challenge = lambda _: Reply(500)
    jobs = [send() for _ in range(8)]
    for job in jobs:
        finish(job["id"])
    time.sleep(1.5)
    assert receiver.challenges <= 10  # and not 8 jobs times 5 tries
    assert receiver.most_under_way == 1


def test_every_event_that_was_asked_for_comes_in_order_and_no_other(
    send: Send, receiver: Receiver, finish: Finish, service: httpx.Client
) -> None:
    receiver.behave = behaving([Reply(500), Reply(503)])
    job = send(webhook_events=EVERY)
    finish(job["id"])
    canceled = send(webhook_events="job.started,job.succeeded")
    service.post(canceled["links"]["cancel"])
    assert eventually(lambda: len(receiver.messages) == 4)
    time.sleep(0.3)
    assert receiver.types == ["job.started", "job.started", "job.started", "job.succeeded"]
    ids = [each.id for each in receiver.messages]
    assert len(set(ids[:3])) == 1
    assert ids[3] != ids[0]
    assert states(service, canceled) == []


def test_a_receiver_that_fails_is_tried_ten_times_more_and_then_left_alone(
    service: httpx.Client, send: Send, receiver: Receiver, finish: Finish
) -> None:
    receiver.behave = lambda _: Reply(500)
    job = send()
    finish(job["id"])
    assert eventually(lambda: states(service, job) == ["failed"], 60)
    assert len(receiver.messages) == 11
    assert len({each.id for each in receiver.messages}) == 1
    message = deliveries(service, job)["messages"][0]
    assert (message["tries"], len(message["attempts"])) == (11, 11)
    assert {each["status_code"] for each in message["attempts"]} == {500}
    time.sleep(0.5)
    assert len(receiver.messages) == 11


def test_a_receiver_that_hangs_costs_others_nothing_and_is_told_when_it_is_back(
    service: httpx.Client, send: Send, receiver: Receiver, finish: Finish
) -> None:
    receiver.behave = behaving([Reply(after_s=60)] * 16)
    hanging = [send() for _ in range(5)]
    for job in hanging:
        finish(job["id"])
    assert eventually(lambda: receiver.under_way)
    with receiving() as other:
        finish(send(webhook_url=other.url)["id"])
        assert eventually(lambda: other.messages)
        assert [states(service, job) for job in hanging] != [["delivered"]] * 5
    assert eventually(lambda: all(states(service, job) == ["delivered"] for job in hanging))
    assert {error for job in hanging for each in errors(service, job) for error in each} == {"timeout", None}


def test_a_redirect_is_a_failure_and_is_not_followed(
    service: httpx.Client, send: Send, receiver: Receiver, finish: Finish
) -> None:
    with receiving() as elsewhere:
        receiver.behave = behaving(Reply(status, {"Location": elsewhere.url}) for status in (301, 302, 307, 308))
        job = send()
        finish(job["id"])
        assert eventually(lambda: states(service, job) == ["delivered"])
        assert errors(service, job) == [["redirect"] * 4 + [None]]
        assert elsewhere.all == []


def test_a_receiver_that_flaps_is_told_everything_in_order_of_each_job(
    service: httpx.Client, send: Send, receiver: Receiver, finish: Finish
) -> None:
    down = (Reply(502), Reply(after_s=5), Reply(429, {"Retry-After": "0"}), Reply(302, {"Location": "/"}))
    receiver.behave = lambda number: down[number // 2 % 4] if number % 2 else OK
    jobs = [send(webhook_events=EVERY) for _ in range(6)]
    for job in jobs:
        finish(job["id"])
    assert eventually(lambda: all(states(service, job) == ["delivered"] * 2 for job in jobs), 60)
    for job in jobs:
        heard = [each.told["type"] for each in receiver.messages if each.told["data"]["id"] == job["id"]]
        assert heard == sorted(heard, key=TELLING.index)
        assert set(heard) == set(TELLING)


def test_the_trace_of_the_request_goes_with_what_is_told(
    service: httpx.Client, receiver: Receiver, finish: Finish, jpeg: bytes
) -> None:
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    for sent in (traceparent, "no trace"):
        form = {"reference_id": "rose", "webhook_url": receiver.url}
        files, headers = {"photo": ("me.jpg", jpeg)}, {"traceparent": sent}
        finish(service.post("/v1/jobs", files=files, data=form, headers=headers).json()["id"])
    assert eventually(lambda: len(receiver.messages) == 2)
    assert [each.headers.get("traceparent") for each in receiver.messages] == [traceparent, None]


def test_no_cookie_is_kept(send: Send, receiver: Receiver, finish: Finish) -> None:
    receiver.behave = lambda _: Reply(headers={"Set-Cookie": "who=me; Path=/"})
    for count in (1, 2):
        finish(send()["id"])
        assert eventually(lambda count=count: len(receiver.messages) == count)  # type: ignore[misc]
    assert [each.headers.get("cookie") for each in receiver.all] == [None] * 3


def test_retry_after_is_heeded(service: httpx.Client, send: Send, receiver: Receiver, finish: Finish) -> None:
    receiver.behave = behaving([Reply(429, {"Retry-After": "2"})])
    job = send()
    finish(job["id"])
    assert eventually(lambda: states(service, job) == ["delivered"])
    first, second = receiver.messages
    assert second.at - first.at >= 2  # and not five milliseconds


def test_without_a_secret_nothing_is_sent(
    service: httpx.Client, send: Send, receiver: Receiver, finish: Finish, settings: Settings
) -> None:
    job = send()
    assert remove_secrets(settings.webhooks, "")
    finish(job["id"])
    assert eventually(lambda: "no_secret" in (errors(service, job) or [[]])[0])
    assert receiver.all == []


def test_while_secrets_overlap_a_message_can_be_verified_with_either(
    send: Send, receiver: Receiver, finish: Finish, secret: str, settings: Settings
) -> None:
    for told, (overlap, is_old_good) in enumerate(((timedelta(hours=1), True), (timedelta(), False))):
        new = rotate_secret(settings.webhooks, "", overlap)
        finish(send()["id"])
        assert eventually(lambda told=told: len(receiver.messages) == told + 1)  # type: ignore[misc]
        message = receiver.messages[-1]
        assert verified(message, new)
        if is_old_good:
            assert verified(message, secret)
        else:
            with pytest.raises(WebhookVerificationError):
                verified(message, secret)


def test_the_public_address_stands_before_the_jobs(
    serve: Serve, settings: Settings, redis: Redis, receiver: Receiver, finish: Finish, secret: str, jpeg: bytes
) -> None:
    assert redis.ping()
    with serve(settings.model_copy(update={"public_url": "https://photos.example.org/"})) as client:
        form = {"reference_id": "rose", "webhook_url": receiver.url}
        job = client.post("/v1/jobs", files={"photo": ("me.jpg", jpeg)}, data=form).json()
        finish(job["id"])
        assert eventually(lambda: receiver.messages)
    assert verified(receiver.messages[0], secret)
    assert receiver.messages[0].told["data"]["url"] == f"https://photos.example.org/v1/jobs/{job['id']}"
