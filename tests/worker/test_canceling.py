"""A job that is canceled while it is worked on, with the shipped bundle: it ends at once, and so does the work."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from time import monotonic, sleep

import numpy as np
import pytest

from diffam_client.contract.job import BundleName, JobInput
from diffam_core.images import encode_photo
from jobs.ledger import Ledger
from jobs.new_job import NewJob
from model_store.bundle import Bundle
from model_store.rendered.scenes import demo_scene
from protection.pipeline import detect_faces, finish_photo, make_photos_up, open_photo
from worker.heartbeat import Heartbeat
from worker.photo_jobs import Pipeline, make_crew, photo_job

SOON_S = 2.0


@pytest.fixture(scope="module")
def photo() -> bytes:
    return encode_photo(np.array(demo_scene(size=384)), "png")


@pytest.mark.parametrize("stage", ["invert", "make_up", "score"])
def test_it_is_canceled_and_its_thread_free_within_two_seconds(
    stage: str, bundle: Bundle, ledger: Ledger, photo: bytes
) -> None:
    models = bundle.models
    pipeline = Pipeline(
        detect=partial(detect_faces, models),
        open=partial(open_photo, models, None),
        make_up=partial(make_photos_up, bundle),
        finish=partial(finish_photo, bundle),
    )
    wish = JobInput.model_validate(
        {"reference_id": "rose", "target_id": "aurora", "strength": "auto", "candidates": 3, "vary": "look"}
        | {"width": 384, "height": 384, "bytes": len(photo)}
    )
    job_id = ledger.accept(NewJob(wish, BundleName(name="mini", grade="demonstration")), photo).job_id
    crew = make_crew(ledger, Heartbeat(ledger, "a worker"), pipeline, batch_size=4, wait_s=0.01, budget_s=300)
    with closing(crew), ThreadPoolExecutor(1) as pool:
        work = pool.submit(photo_job, crew, job_id)
        while not ((progress := ledger.get(job_id).progress) and progress.stage == stage and progress.step):
            assert not work.done()
            sleep(0.005)
        canceled = monotonic()
        assert ledger.cancel(job_id)
        assert ledger.get(job_id).status == "canceled"
        work.result(timeout=60)
        assert monotonic() - canceled < SOON_S
    assert ledger.blob("result", job_id) is None
