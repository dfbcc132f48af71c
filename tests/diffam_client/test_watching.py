"""A job is watched to its end by its events, over connections that break, and without any stream."""

import os
import signal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.stack.stack import Stack
from diffam_client import Client, Event, NotOver, NotThere
from diffam_client.stream import Message, Messages
from tests.diffam_client.conftest import Caller
from tests.diffam_client.relay import Faults, relay

pytestmark = pytest.mark.xdist_group("client")

STREAM = """retry: 1000

event: status
data: {"a":"ü\u2028\x85b"}
id: 1

: still here

data:x
data: y

event: z

data: cut off"""
TOLD = [Message("status", '{"a":"ü\u2028\x85b"}'), Message("message", "x\ny")]


def numbers(told: list[Event]) -> list[int]:
    """Their revisions."""
    return [event.revision for event in told]


@given(st.lists(st.integers(0, len(STREAM) * 2)), st.sampled_from(["\n", "\r\n", "\r"]))
def test_messages_are_the_same_however_their_text_is_cut(cuts: list[int], line_end: str) -> None:
    text, messages = STREAM.replace("\n", line_end), Messages()
    places = [0, *sorted(cuts), len(text)]
    pieces = [text[begin:end] for begin, end in pairwise(places)]
    assert [message for piece in pieces for message in messages.feed(piece)] == TOLD


def test_a_stream_that_breaks_is_resumed_and_tells_everything_once(
    call: Caller, stack: Stack, client: Client, photo: bytes
) -> None:
    job = client.submit(photo, reference="rose")
    faults = Faults(only=b"/events", most_bytes=1500)
    with relay(stack.url, faults) as url:
        told = call.at(url)("events", job)
    assert len(faults.seen) > 2
    assert numbers(told) == numbers(list(client.events(job)))
    assert told[-1].is_last


def test_where_no_stream_gets_through_the_job_is_looked_at(
    call: Caller, stack: Stack, client: Client, photo: bytes
) -> None:
    job, told, faults = client.submit(photo, reference="rose"), list[Event](), Faults(closed_to=b"/events")
    with relay(stack.url, faults) as url:
        over = call.at(url, retries=0)("wait", job, told.append)
    assert (over.status, told[-1].revision, told[-1].status) == ("succeeded", over.revision, "succeeded")
    assert numbers(told) == sorted(set(numbers(told)))
    assert {b"/events" in line for line in faults.seen} == {True, False}


def test_a_service_that_is_started_again_meanwhile_is_waited_for(call: Caller, stack: Stack, photo: bytes) -> None:
    killed: list[int] = []

    def kill(event: Event) -> None:
        if event.progress and not killed:
            killed.append(stack.supervisor.pid("web"))
            os.kill(killed[0], signal.SIGKILL)

    protected = call("protect", photo, kill, reference="rose")
    assert (protected.job.status, len(killed)) == ("succeeded", 1)


def test_what_is_known_is_not_told_again_and_a_job_that_is_over_is_not_asked_for(
    call: Caller, stack: Stack, client: Client, photo: bytes
) -> None:
    job, told, faults = client.submit(photo, reference="rose"), list[Event](), Faults()
    over = call("wait", job, told.append)
    assert numbers(told)[0] == job.revision + 1
    with relay(stack.url, faults) as url:
        assert call.at(url)("wait", over) == over
        assert faults.seen == []
        assert call.at(url)("events", over, over.revision) == []
        assert len(faults.seen) == 1


def test_who_waits_in_short_turns_misses_nothing(call: Caller, client: Client, photo: bytes) -> None:
    job, told = client.submit(photo, reference="rose"), list[Event]()
    for _ in range(100):
        try:
            call("wait", job if not told else job.model_copy(update={"revision": told[-1].revision}), told.append, 0.3)
            break
        except NotOver:
            continue
    assert numbers(told) == list(range(job.revision + 1, client.get(job).revision + 1))


def test_a_job_that_is_erased_meanwhile_ends_the_watching(call: Caller, client: Client, photo: bytes) -> None:
    job = client.submit(photo, reference="rose")

    def erase(event: Event) -> None:
        if event.status == "running":
            client.erase(job)

    with pytest.raises(NotThere) as gone:
        call("wait", job, erase)
    assert (gone.value.code, gone.value.status) == ("erased_job", 410)


def test_an_iterator_that_nobody_follows_to_its_end_lets_its_connection_go(client: Client, photo: bytes) -> None:
    job = client.submit(photo, reference="rose")
    for _ in range(120):  # more than there are connections at once
        events = client.events(job)
        assert next(events).revision == 1
        events.close()  # type: ignore[attr-defined]  # it is a generator
    client.erase(job)
