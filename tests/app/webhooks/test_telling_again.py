"""What is told again, and what is told no more: an endpoint that is gone, a redelivery, a retry, an erased job."""

import time

import httpx
from redis import Redis

from jobs.ledger import Ledger
from tests.app.test_problems import problem
from tests.app.webhooks.conftest import Send
from tests.app.webhooks.test_webhooks import EVERY, TELLING, Finish, behaving, deliveries, errors, states
from tests.receiver import OK, Receiver, Reply, eventually, verified


def test_410_disables_the_endpoint_for_every_job_until_somebody_asks_it_again(
    service: httpx.Client, send: Send, receiver: Receiver, finish: Finish, jpeg: bytes
) -> None:
    receiver.behave = behaving([OK, Reply(410)])
    first, second, third = send(), send(webhook_events=EVERY), send()
    finish(first["id"])
    assert eventually(lambda: states(service, first) == ["delivered"])
    finish(second["id"])
    assert eventually(lambda: states(service, second) == ["failed", "failed"])
    assert errors(service, second) == [["gone"], []]
    finish(third["id"])
    assert eventually(lambda: states(service, third) == ["failed"])
    assert deliveries(service, third)["endpoint"] == "disabled"
    form = {"reference_id": "rose", "webhook_url": receiver.url}
    refused = problem(service.post("/v1/jobs", files={"photo": ("me.jpg", jpeg)}, data=form))
    assert (refused.code, refused.param) == ("webhook_disabled", "webhook_url")
    time.sleep(0.5)
    assert len(receiver.messages) == 2
    assert service.post(f"/v1/jobs/{third['id']}/redeliver").status_code == 202
    assert eventually(lambda: states(service, third) == ["delivered"])
    assert (receiver.challenges, len(receiver.messages)) == (2, 3)
    assert send()["webhook"]["url"] == receiver.url


def test_a_redelivery_tells_everything_again_under_the_same_ids(
    service: httpx.Client, send: Send, receiver: Receiver, finish: Finish, secret: str
) -> None:
    job = send(webhook_events=EVERY)
    finish(job["id"])
    assert eventually(lambda: states(service, job) == ["delivered"] * 2)
    time.sleep(1.1)  # so that it is signed anew
    again = service.post(service.get(job["links"]["self"]).json()["links"]["redeliver"])
    assert (again.status_code, again.json()["id"]) == (202, job["id"])
    assert eventually(lambda: len(receiver.messages) == 4)
    assert receiver.types == TELLING * 2
    ids, stamps = ([each.headers[f"webhook-{name}"] for each in receiver.messages] for name in ("id", "timestamp"))
    assert ids[:2] == ids[2:]
    assert stamps[:2] != stamps[2:]
    assert all(verified(each, secret) for each in receiver.messages)
    assert eventually(lambda: states(service, job) == ["delivered"] * 2)


def test_what_has_nothing_to_tell_is_not_redelivered(service: httpx.Client, send: Send, jpeg: bytes) -> None:
    waiting = send()
    silent = service.post("/v1/jobs", files={"photo": ("me.jpg", jpeg)}, data={"reference_id": "rose"}).json()
    for job in (waiting, silent):
        assert problem(service.post(f"/v1/jobs/{job['id']}/redeliver")).code == "not_redeliverable"
        assert "redeliver" not in job["links"]
    assert problem(service.get(f"/v1/jobs/{silent['id']}/deliveries")).code == "not_found"
    assert "deliveries" not in silent["links"]
    for call in ("deliveries", "redeliver"):
        method = "GET" if call == "deliveries" else "POST"
        assert problem(service.request(method, f"/v1/jobs/nobody/{call}")).code == "unknown_job"
        service.delete(waiting["links"]["self"])
        assert problem(service.request(method, f"/v1/jobs/{waiting['id']}/{call}")).code == "erased_job"


def test_an_erased_job_is_told_of_no_more_and_leaves_nothing(
    service: httpx.Client, send: Send, receiver: Receiver, finish: Finish, redis: Redis
) -> None:
    receiver.behave = lambda _: Reply(500)
    job = send()
    finish(job["id"])
    assert eventually(lambda: len(receiver.messages) >= 2)
    service.delete(job["links"]["self"])
    heard = len(receiver.messages)
    time.sleep(1)
    assert len(receiver.messages) <= heard + 1  # one may have been on its way
    assert [name.decode() for name in redis.scan_iter(f"*{job['id']}*")] == [f"diffam:gone:{job['id']}"]
    assert redis.zscore("diffam:outboxes", job["id"]) is None


def test_a_retry_tells_the_same_webhook(
    service: httpx.Client, send: Send, receiver: Receiver, finish: Finish, ledger: Ledger
) -> None:
    job = send(expires_in_s="1", client_ref="mine")
    assert eventually(lambda: receiver.types == ["job.canceled"])
    again = service.post(f"/v1/jobs/{job['id']}/retry").json()
    assert (again["client_ref"], again["webhook"]) == ("mine", job["webhook"])
    finish(again["id"])
    assert eventually(lambda: receiver.types == ["job.canceled", "job.succeeded"])
    assert receiver.messages[1].told["data"]["id"] == again["id"]
    assert ledger.get(again["id"]).client_ref == "mine"
