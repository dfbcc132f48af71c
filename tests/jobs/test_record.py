"""A record of the ledger becomes a job, whoever wrote it."""

import json

import pytest
from pydantic import ValidationError

from diffam_client.contract.job import JobInput, OutputPhoto, Queue
from jobs.reading.record import job_of

ACCEPTED = {
    b"status": b"queued", b"revision": b"1", b"attempt": b"0", b"max_attempts": b"3", b"token": b"0",
    b"kind": b"protect",
    b"input": b'{"reference_id": "rose", "target_id": "ada", "faces": [0], "width": 96, "height": 80, "bytes": 5}',
    b"bundle": b'{"name": "mini", "grade": "demonstration"}', b"created_at": b"1700000000.250000",
}  # fmt: skip
STARTED = ACCEPTED | {
    b"status": b"running", b"attempt": b"1", b"token": b"1", b"at_risk": b"1", b"started_at": b"1700000001.500000",
    b"progress": b'{"stage": "invert", "step": 3, "steps": 6, "fraction": 0.25, "losses": null, "eta_s": null}',
}  # fmt: skip
ENDED = ACCEPTED | {
    b"status": b"succeeded", b"started_at": b"1700000001.500000", b"finished_at": b"1700000004.000000",
    b"expires_at": b"1700003604.000000",
    b"timings": b'{"queue_s": null, "run_s": null, "batch_size": 2, "stages_s": {"invert": 0.5}}',
    b"output": b'{"photo": {"media_type": "image/png", "bytes": 9, "sha256": "ab", "width": 96, "height": 80}}',
}  # fmt: skip


def test_a_waiting_job_tells_its_place_and_what_was_asked_for() -> None:
    job = job_of("an-id", ACCEPTED, Queue(position=2))
    assert (job.id, job.status, job.queue, job.is_over) == ("an-id", "queued", Queue(position=2), False)
    assert isinstance(job.input, JobInput)
    assert (job.input.faces, job.input.strength) == ((0,), 1.0)
    assert (job.timings.queue_s, job.timings.run_s) == (None, None)


def test_a_running_job_tells_how_far_it_is_and_how_long_it_waited() -> None:
    job = job_of("an-id", STARTED, None)
    assert job.progress is not None
    assert (job.progress.stage, job.progress.fraction, job.queue) == ("invert", 0.25, None)
    assert (job.timings.queue_s, job.timings.run_s) == (1.25, None)


def test_an_ended_job_tells_its_times_in_utc_and_its_seconds() -> None:
    job = job_of("an-id", ENDED, None)
    assert job.is_over
    assert job.output is not None
    assert isinstance(job.output.photo, OutputPhoto)
    assert (job.timings.queue_s, job.timings.run_s, job.timings.batch_size) == (1.25, 2.5, 2)
    assert json.loads(job.model_dump_json())["created_at"] == "2023-11-14T22:13:20.250000Z"


def test_what_is_between_ledger_and_workers_is_told_nobody() -> None:
    assert not {"token", "at_risk"} & json.loads(job_of("an-id", STARTED, None).model_dump_json()).keys()


def test_a_record_of_another_shape_is_not_half_understood() -> None:
    with pytest.raises(ValidationError, match="priority"):
        job_of("an-id", ACCEPTED | {b"priority": b"high"}, None)
