"""From a bell to the end of a job: whatever happens in between is written into the ledger once."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from io import BytesIO
from threading import Event
from time import sleep
from typing import Any

import pytest
import torch
from PIL import Image
from redis import Redis

from diffam_client.contract.job import BundleName, DetectInput, JobInput
from diffam_client.contract.report import FaceReport, OnProgress, Progress
from jobs.ledger import Ledger
from jobs.new_job import NewJob
from model_store.errors import StyleNotTrained
from protection.pipeline import MadeUp
from protection.plan import Upload
from tests.worker import stand_in
from worker import photo_jobs
from worker.heartbeat import Heartbeat
from worker.outcome import job_error
from worker.photo_jobs import Crew, Pipeline, make_crew, photo_job

Serve = Callable[..., Crew]
Results = list[MadeUp]
INSTANT = partial(stand_in.make_up, stage_s=0.0)


@pytest.fixture
def serve(ledger: Ledger) -> Iterator[Serve]:
    """A crew that makes up with the given function and does all else as the stand-in does."""
    with ExitStack() as opened:

        def begin(make_up: Any = INSTANT, detect: Any = stand_in.detect) -> Crew:
            pipeline = Pipeline(detect, stand_in.open_photo, make_up, partial(stand_in.finish, stage_s=0.0))
            crew = make_crew(ledger, Heartbeat(ledger, "a worker"), pipeline, batch_size=4, wait_s=0.01, budget_s=60)
            return opened.enter_context(closing(crew))

        yield begin


def accepted(ledger: Ledger, colour: str = "teal") -> str:
    """A job for a photo of one colour."""
    photo = BytesIO()
    Image.new("RGB", (64, 64), colour).save(photo, "PNG")
    job_input = JobInput(
        reference_id="rosewood", target_id="t1", output_format="png", width=64, height=64, bytes=len(photo.getvalue())
    )
    return ledger.accept(NewJob(job_input, BundleName(name="mini", grade="demonstration")), photo.getvalue()).job_id


def test_a_job_ends_with_its_photo_and_its_input_is_gone(serve: Serve, ledger: Ledger) -> None:
    job_id = accepted(ledger)
    photo_job(serve(), job_id)
    job = ledger.get(job_id)
    assert job.status == "succeeded"
    assert job.timings.batch_size == 1
    assert ledger.blob("result", job_id) is not None
    assert ledger.blob("photo", job_id) is None


def test_a_second_bell_changes_nothing(serve: Serve, ledger: Ledger) -> None:
    job_id = accepted(ledger)
    crew = serve()
    photo_job(crew, job_id)
    before = ledger.get(job_id)
    photo_job(crew, job_id)
    assert ledger.get(job_id) == before


def test_a_photo_without_a_face_fails_with_its_code(serve: Serve, ledger: Ledger) -> None:
    job_id = accepted(ledger, "black")
    photo_job(serve(), job_id)
    error = ledger.get(job_id).error
    assert error is not None
    assert (error.code, error.retryable) == ("no_face_found", False)


def test_an_unforeseen_error_tells_the_client_nothing_of_it(serve: Serve, ledger: Ledger) -> None:
    def broken(_uploads: Sequence[Upload], _on_progress: OnProgress) -> Results:
        raise ZeroDivisionError("a secret path")

    job_id = accepted(ledger)
    photo_job(serve(broken), job_id)
    error = ledger.get(job_id).error
    assert error is not None
    assert error.code == "internal"
    assert "secret" not in error.message


def test_an_erased_job_stops_the_work_and_leaves_nothing(serve: Serve, ledger: Ledger) -> None:
    stages: list[str] = []

    def erased_halfway(uploads: Sequence[Upload], on_progress: OnProgress) -> Results:
        def note(progress: Progress) -> None:
            if progress.stage == "make_up":
                ledger.erase(job_id)
            stages.append(progress.stage)
            on_progress(progress)

        return INSTANT(uploads, note)

    job_id = accepted(ledger)
    photo_job(serve(erased_halfway), job_id)
    assert stages[-1] == "make_up"
    assert ledger.blob("result", job_id) is None


def lost_once(ledger: Ledger, redis: Redis, job_id: str) -> str:
    """The job, after a worker ended in the middle of it."""
    claim = ledger.claim(job_id)
    assert claim is not None
    assert ledger.progress(claim, Progress(stage="invert", step=0, steps=1))
    ledger.release([claim])
    redis.delete("diffam:reaper")
    assert ledger.reap().requeued == (job_id,)
    return job_id


def test_suspects_travel_alone_and_one_after_the_other(serve: Serve, ledger: Ledger, redis: Redis) -> None:
    trips: list[int] = []

    def count(uploads: Sequence[Upload], on_progress: OnProgress) -> Results:
        trips.append(len(uploads))
        return stand_in.make_up(uploads, on_progress, stage_s=0.02)

    suspects = [lost_once(ledger, redis, accepted(ledger)) for _ in range(3)]
    others = [accepted(ledger) for _ in range(3)]
    crew = serve(count)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(partial(photo_job, crew), suspects + others))
    assert all(ledger.get(job_id).status == "succeeded" for job_id in suspects + others)
    assert {ledger.get(job_id).timings.batch_size for job_id in suspects} == {1}
    assert sum(trips) == 6
    assert max(trips) > 1


def test_a_large_photo_without_a_place_goes_back_and_costs_no_attempt(
    serve: Serve, ledger: Ledger, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photo_jobs, "LARGE_PX", 1)
    monkeypatch.setattr(photo_jobs, "LARGE_WAIT_S", 0.05)
    crew, job_id = serve(), accepted(ledger)
    for _ in range(2):
        crew.large.acquire()
    photo_job(crew, job_id)
    redis.delete("diffam:reaper")
    assert ledger.reap().requeued == (job_id,)
    assert ledger.get(job_id).attempt == 0
    crew.large.release()
    photo_job(crew, job_id)
    assert ledger.get(job_id).status == "succeeded"


def test_an_erased_job_gives_its_thread_back_at_once(serve: Serve, ledger: Ledger) -> None:
    is_on_the_way, may_arrive = Event(), Event()

    def slow(uploads: Sequence[Upload], on_progress: OnProgress) -> Results:
        is_on_the_way.set()
        assert may_arrive.wait(60)
        return INSTANT(uploads, on_progress)

    travels, waits = accepted(ledger), accepted(ledger)
    crew = serve(slow)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(photo_job, crew, travels)
        assert is_on_the_way.wait(60)
        second = pool.submit(photo_job, crew, waits)
        while len(crew.heartbeat.held) < 2 or ledger.get(waits).progress != photo_jobs.OPENED:
            sleep(0.01)
        ledger.erase(travels)
        ledger.cancel(waits)
        crew.heartbeat.beat()
        for job in (first, second):
            job.result(timeout=10)
        assert crew.heartbeat.held == []
        may_arrive.set()
    assert ledger.get(waits).status == "canceled"


def looked_at(ledger: Ledger, colour: str) -> str:
    """A job that only asks for the faces of a photo."""
    photo = BytesIO()
    Image.new("RGB", (64, 64), colour).save(photo, "PNG")
    wish = DetectInput(width=64, height=64, bytes=len(photo.getvalue()))
    return ledger.accept(
        NewJob(wish, BundleName(name="mini", grade="demonstration"), "detect"), photo.getvalue()
    ).job_id


@pytest.mark.parametrize(("colour", "count"), [("teal", 1), ("black", 0)])
def test_a_photo_can_be_looked_at_and_is_then_gone(serve: Serve, ledger: Ledger, colour: str, count: int) -> None:
    job_id = looked_at(ledger, colour)
    photo_job(serve(), job_id)
    job = ledger.get(job_id)
    assert (job.kind, job.status) == ("detect", "succeeded")
    assert job.output is not None
    assert len(job.output.faces) == count
    assert job.output.photo is None
    assert ledger.blob("photo", job_id) is None


def test_a_detector_that_breaks_ends_its_job(serve: Serve, ledger: Ledger) -> None:
    def broken(_photo: bytes) -> list[FaceReport]:
        raise ZeroDivisionError("a secret path")

    job_id = looked_at(ledger, "teal")
    photo_job(serve(detect=broken), job_id)
    error = ledger.get(job_id).error
    assert error is not None
    assert error.code == "internal"


@pytest.mark.parametrize(
    ("error", "code", "retryable"),
    [
        (StyleNotTrained("no such style"), "style_not_trained", False),
        (torch.OutOfMemoryError("16 GiB"), "out_of_memory", True),
        (RuntimeError("/a/path"), "internal", True),
    ],
)
def test_clients_read_the_facts_of_known_errors_only(error: Exception, code: str, retryable: bool) -> None:
    reason = job_error(error)
    assert (reason.code, reason.retryable) == (code, retryable)
    assert "/a/path" not in reason.message
