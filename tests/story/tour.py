"""Every call, made once: what it answers is an example of the OpenAPI document.

`python -m tests.story.recording` writes them to `app/openapi/examples.json`, ids and times as they came.
"""

from collections.abc import Iterator
from time import sleep
from typing import Any

import httpx

from model_store.rendered.scenes import demo_scene
from tests.story.conftest import png

Answers = Iterator[tuple[str, Any]]
AS_MANY = 2
"""So many entries are shown of a list that is long."""


def tour(client: httpx.Client, hook: str) -> Answers:
    """Answers by the name of their example. hook: takes webhooks."""
    yield from of_photos(client, hook)
    yield from of_looks(client, "copper")
    client.delete("/v1/references/copper").raise_for_status()
    yield from of_offers(client)


def of_offers(client: httpx.Client) -> Answers:
    """What the service has and how it is."""
    for name, path in {
        "references": "/v1/references", "targets": "/v1/targets", "limits": "/v1/limits", "alive": "/livez",
        "ready": "/readyz", "v2_live": "/v2/health/live", "v2_ready": "/v2/health/ready",
        "problem": "/problems/face_unknown",
    }.items():  # fmt: skip
        yield name, client.get(path).raise_for_status().json()
    told = client.get("/problems").raise_for_status().json()
    yield "problems", {"problems": told["problems"][:AS_MANY]}


def of_photos(client: httpx.Client, hook: str) -> Answers:
    """Jobs as they wait, run and end. hook: takes webhooks."""
    photo = {"photo": png(demo_scene(seed=1, size=512))}
    wish = {"reference_id": "rose"}
    told = {"webhook_url": hook, "client_ref": "holiday/0042"}
    queued = _sent(client, "/v1/jobs", wish | told, photo)
    yield "queued_job", queued
    running = _until(client, queued, lambda job: job["progress"])
    yield "running_job", running
    yield "succeeded_job", _until(client, queued, _is_over)
    deliveries = f"/v1/jobs/{queued['id']}/deliveries"
    while (told_so_far := client.get(deliveries).json())["messages"][0]["state"] == "pending":
        sleep(0.1)
    yield "deliveries", told_so_far
    yield "failed_job", _until(client, _sent(client, "/v1/jobs", wish | {"faces": "5"}, photo), _is_over)
    canceled = _sent(client, "/v1/jobs", wish | {"strength": "auto"}, photo)
    yield "canceled_job", client.post(f"/v1/jobs/{canceled['id']}/cancel").raise_for_status().json()
    waiting = _sent(client, "/v1/faces", {}, photo, {"Prefer": "wait=0"})
    yield "faces_queued", waiting
    yield "faces_found", _until(client, waiting, _is_over)
    yield "events", client.get(f"/v1/jobs/{waiting['id']}/events").raise_for_status().text


def of_looks(client: httpx.Client, look: str) -> Answers:
    """A look of that id, which stays, and the order of a style for it, which is canceled."""
    picture = {"picture": client.get("/v1/references/ember/image").raise_for_status().content}
    added = _sent(client, "/v1/references", {"reference_id": look, "title": look.title()}, picture)
    yield "reference_queued", added
    yield "reference_added", _until(client, added, _is_over)
    ordered = f"/v1/references/{look}/finetune"
    order = {"target_id": "aurora", "held_out": "ir152"}
    once = {"Idempotency-Key": f"{look}-aurora"}
    answer = client.post(ordered, json=order, headers=once)
    yield "finetune_queued", answer.raise_for_status().json()
    seen = client.get("/v1/admin").raise_for_status().json()
    yield "operations", {**seen, "hours": seen["hours"][-AS_MANY:]}
    client.post(f"/v1/jobs/{answer.json()['id']}/cancel").raise_for_status()
    again = client.post(ordered, json=order, headers=once)
    yield "finetune_canceled", again.raise_for_status().json()
    yield "jobs", client.get("/v1/jobs?limit=1").raise_for_status().json()


def _sent(
    client: httpx.Client,
    path: str,
    fields: dict[str, str],
    files: dict[str, bytes],
    headers: dict[str, str] | None = None,
) -> Any:
    sent = {name: (f"{name}.png", content) for name, content in files.items()}
    return client.post(path, data=fields, files=sent, headers=headers).raise_for_status().json()


def _until(client: httpx.Client, job: Any, is_so: Any) -> Any:
    """The job as soon as that is true of it; it must come true before its end."""
    while not is_so(job):
        if _is_over(job):
            raise RuntimeError(f"the job ended too soon: {job}")
        job = client.get(f"/v1/jobs/{job['id']}").raise_for_status().json()
    return job


def _is_over(job: Any) -> bool:
    return job["status"] not in ("queued", "running")
