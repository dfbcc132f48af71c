"""From a bell to the end of a job: whatever happens in between is written into the ledger once."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from io import BytesIO
from typing import Any

import pytest
import torch
from PIL import Image

from diffam_core.errors import DiffAMError
from jobs.ledger import Ledger
from jobs.record import BundleName, DetectInput, JobInput
from model_store.errors import StyleNotTrained
from tests.worker import stand_in
from worker.heartbeat import Heartbeat
from worker.pipeline import ProtectedPhoto
from worker.request import ProtectRequest
from worker.tasks import Detect, Protect, job_error, make_batcher, photo_job

OnProgress = Callable[[str, int, int], None]
Serve = Callable[..., Callable[[str], None]]
Results = list[ProtectedPhoto | DiffAMError]
INSTANT = partial(stand_in.protect, stage_s=0.0)


@pytest.fixture
def serve(ledger: Ledger) -> Iterator[Serve]:
    """Starts what answers the bell in a worker that protects with the given function."""
    with ExitStack() as opened:

        def begin(protect: Protect = INSTANT, detect: Detect = stand_in.detect) -> Callable[[str], None]:
            batcher = opened.enter_context(
                closing(make_batcher(ledger, protect, batch_size=4, wait_s=0.01, budget_s=60))
            )
            return partial(photo_job, ledger, Heartbeat(ledger, "a worker"), batcher, detect)

        yield begin


def accepted(ledger: Ledger, colour: str = "teal") -> str:
    """A job for a photo of one colour."""
    photo = BytesIO()
    Image.new("RGB", (64, 64), colour).save(photo, "PNG")
    job_input = JobInput(
        reference_id="rosewood", target_id="t1", output_format="png", width=64, height=64, bytes=len(photo.getvalue())
    )
    return ledger.accept(photo.getvalue(), job_input, BundleName(name="mini", grade="demonstration"))


def test_a_job_ends_with_its_photo_and_its_input_is_gone(serve: Serve, ledger: Ledger) -> None:
    job_id = accepted(ledger)
    serve()(job_id)
    job = ledger.get(job_id)
    assert job.status == "succeeded"
    assert job.timings.batch_size == 1
    assert ledger.blob("result", job_id) is not None
    assert ledger.blob("photo", job_id) is None


def test_a_second_bell_changes_nothing(serve: Serve, ledger: Ledger) -> None:
    job_id = accepted(ledger)
    answer = serve()
    answer(job_id)
    before = ledger.get(job_id)
    answer(job_id)
    assert ledger.get(job_id) == before


def test_a_photo_without_a_face_fails_with_its_code(serve: Serve, ledger: Ledger) -> None:
    job_id = accepted(ledger, "black")
    serve()(job_id)
    error = ledger.get(job_id).error
    assert error is not None
    assert (error.code, error.retryable) == ("no_face_found", False)


def test_an_unforeseen_error_tells_the_client_nothing_of_it(serve: Serve, ledger: Ledger) -> None:
    def broken(_requests: Sequence[ProtectRequest], _on_progress: OnProgress) -> Results:
        raise ZeroDivisionError("a secret path")

    job_id = accepted(ledger)
    serve(broken)(job_id)
    error = ledger.get(job_id).error
    assert error is not None
    assert error.code == "internal"
    assert "secret" not in error.message


def test_an_erased_job_stops_the_work_and_leaves_nothing(serve: Serve, ledger: Ledger) -> None:
    stages: list[str] = []

    def erased_halfway(requests: Sequence[ProtectRequest], on_progress: OnProgress) -> Results:
        def note(stage: str, step: int, steps: int) -> None:
            if stage == "make_up":
                ledger.erase(job_id)
            stages.append(stage)
            on_progress(stage, step, steps)

        return INSTANT(requests, note)

    job_id = accepted(ledger)
    serve(erased_halfway)(job_id)
    assert stages[-1] == "make_up"
    assert ledger.blob("result", job_id) is None


def looked_at(ledger: Ledger, colour: str) -> str:
    """A job that only asks for the faces of a photo."""
    photo = BytesIO()
    Image.new("RGB", (64, 64), colour).save(photo, "PNG")
    wish = DetectInput(width=64, height=64, bytes=len(photo.getvalue()))
    return ledger.accept(photo.getvalue(), wish, BundleName(name="mini", grade="demonstration"), "detect")


@pytest.mark.parametrize(("colour", "count"), [("teal", 1), ("black", 0)])
def test_a_photo_can_be_looked_at_and_is_then_gone(serve: Serve, ledger: Ledger, colour: str, count: int) -> None:
    job_id = looked_at(ledger, colour)
    serve()(job_id)
    job = ledger.get(job_id)
    assert (job.kind, job.status) == ("detect", "succeeded")
    assert job.output is not None
    assert len(job.output.faces) == count
    assert job.output.photo is None
    assert ledger.blob("photo", job_id) is None


def test_a_detector_that_breaks_ends_its_job(serve: Serve, ledger: Ledger) -> None:
    def broken(_photo: bytes) -> list[dict[str, Any]]:
        raise ZeroDivisionError("a secret path")

    job_id = looked_at(ledger, "teal")
    serve(detect=broken)(job_id)
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
