"""The single calls: jobs page by page, stopped, tried again; what is on offer."""

import pytest

from cli.stack.stack import Stack
from diffam_client import Client, Conflict, calls
from tests.cli.conftest import eventually
from tests.diffam_client.conftest import Caller
from tests.diffam_client.relay import Faults, relay

pytestmark = pytest.mark.xdist_group("client")


def test_jobs_come_newest_first_and_page_after_page(
    call: Caller, stack: Stack, client: Client, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = [client.submit(photo, reference="rose").id for _ in range(5)]
    monkeypatch.setattr(calls, "PAGE", 2)
    faults = Faults()
    with relay(stack.url, faults) as url:
        listed = [job.id for job in call.at(url)("jobs")]
    assert listed[:5] == mine[::-1]
    assert len(set(listed)) == len(listed)
    assert len(faults.seen) == -(-len(listed) // 2) + (
        len(listed) % 2 == 0
    )  # a full page does not know it was the last
    for job in mine:
        client.wait(job)
    succeeded = [job.id for job in call("jobs", status="succeeded", kind="protect")]
    assert set(mine) <= set(succeeded)
    assert set(mine).isdisjoint(job.id for job in call("jobs", status="failed"))
    for job in mine:
        client.erase(job)


def test_a_job_is_stopped_once(call: Caller, client: Client, photo: bytes) -> None:
    job = client.submit(photo, reference="rose")
    assert eventually(lambda: client.get(job).status == "running")
    assert call("cancel", job).canceled_by == "user"
    with pytest.raises(Conflict, match="job_over"):
        call("cancel", job)
    with pytest.raises(Conflict, match="job_failed"):
        call("result", job)


def test_what_is_on_offer_is_told(call: Caller) -> None:
    assert [(look.id, look.title, look.targets) for look in call("references")] == [("rose", "Rose", ["ada"])]
    assert [(target.id, target.consent) for target in call("targets")] == [("ada", "virtual")]
    limits = call("limits")
    assert (limits.photo.max_bytes, limits.job.max_candidates, limits.quota) == (20 * 1024 * 1024, 3, None)
    ready = call("health")
    assert (ready.status, ready.bundle) == ("ready", "mini")
    assert ready.workers >= 1


def test_before_and_after_is_a_picture_of_its_own(call: Caller, client: Client, photo: bytes) -> None:
    protected = client.protect(photo, reference="rose")
    assert call("comparison", protected.job).startswith(b"\x89PNG")  # the stand-in's is no JPEG
    client.erase(protected.job)
