"""Long jobs: what is left to wait, and how they end."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from diffam_client.contract.job import BundleName, Output, ReferenceInput, StyleInput
from diffam_client.contract.report import OnProgress, Progress
from jobs.claims import Claim
from jobs.ledger import Ledger
from jobs.new_job import NewJob
from jobs.settings import Settings
from model_store.errors import BundleDamaged, DatasetMissing, StyleExists, UnknownBundle
from worker.finetune.jobs import Eta, finetune_job
from worker.serve import sweep_removed

WISH = StyleInput(
    reference_id="dusk", target_id="bruno", held_out="ir152", surrogates=("irse50",), mode="lora", objective="both"
)


@pytest.fixture
def job_id(ledger: Ledger) -> str:
    return ledger.accept(NewJob(WISH, BundleName(name="mini", grade="demonstration"), "finetune")).job_id


def test_the_time_left_is_told_from_the_steps_of_this_attempt() -> None:
    eta = Eta()
    assert eta.after(Progress(stage="load", step=0, steps=1), now=0.0) is None
    resumed = Progress(stage="fine_tune", step=301, steps=500)
    assert eta.after(resumed, now=10.0) is None  # what came before cost another process
    assert eta.after(resumed.model_copy(update={"step": 311}), now=20.0) == 189.0


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(28, "No space left"), "store_unwritable"),
        (StyleExists("there"), "style_exists"),
        (DatasetMissing("no LADN at /srv/ladn"), "dataset_missing"),
        (BundleDamaged("'/srv/bundles/mini/unet.safetensors' cannot be read"), "bundle_damaged"),
        (UnknownBundle("no bundle in /srv/bundles"), "unknown_bundle"),
        (KeyError(), "internal"),
    ],
)
def test_a_job_that_fails_says_why(
    ledger: Ledger, settings: Settings, job_id: str, error: Exception, code: str
) -> None:
    def work(_claim: Claim, _ledger: Ledger, _settings: Settings, _on_progress: OnProgress) -> Output:
        raise error

    finetune_job(ledger, settings, job_id, work)
    job = ledger.get(job_id)
    assert job.status == "failed"
    assert job.error is not None
    assert job.error.code == code
    assert "/srv" not in job.error.message


def test_a_canceled_job_stops_at_its_next_step_and_stays_canceled(
    ledger: Ledger, settings: Settings, job_id: str
) -> None:
    steps: list[int] = []

    def work(claim: Claim, ledger: Ledger, _settings: Settings, on_progress: OnProgress) -> Output:
        for step in range(1, 10):
            on_progress(Progress(stage="fine_tune", step=step, steps=9, losses={"histogram": 1 / step}))
            steps.append(step)
            if step == 3:
                assert ledger.cancel(claim.job_id)
        return Output(reference_id="dusk", target_id="bruno")

    finetune_job(ledger, settings, job_id, work)
    assert steps == [1, 2, 3]
    assert ledger.get(job_id).status == "canceled"


def test_a_training_tells_its_losses_and_the_time_that_is_left(ledger: Ledger, settings: Settings, job_id: str) -> None:
    told: list[Progress | None] = []

    def work(claim: Claim, ledger: Ledger, _settings: Settings, on_progress: OnProgress) -> Output:
        for step in (1, 2):
            on_progress(Progress(stage="fine_tune", step=step, steps=4, losses={"histogram": 1 / step}))
            told.append(ledger.get(claim.job_id).progress)
        return Output(reference_id="dusk", target_id="bruno")

    finetune_job(ledger, settings, job_id, work)
    first, second = told
    assert first is not None
    assert second is not None
    assert (first.eta_s, first.losses) == (None, {"histogram": 1.0})
    assert (second.eta_s is not None, second.losses, second.fraction) == (True, {"histogram": 0.5}, 0.51)


def test_a_finished_job_tells_what_is_new(ledger: Ledger, settings: Settings, job_id: str) -> None:
    finetune_job(ledger, settings, job_id, lambda *_: Output(reference_id="dusk", target_id="bruno"))
    job = ledger.get(job_id)
    assert (job.status, job.kind) == ("succeeded", "finetune")
    assert job.output == Output(reference_id="dusk", target_id="bruno")
    assert not ledger.cancel(job_id)


def test_a_bell_that_comes_late_costs_no_torch(ledger: Ledger, settings: Settings, job_id: str) -> None:
    ledger.cancel(job_id)
    code = (
        "import sys; from worker.finetune.task import finetune_task; "
        f"finetune_task({job_id!r}); sys.exit('torch' in sys.modules)"
    )
    environment = os.environ | {"DIFFAM_REDIS_URL": settings.redis_url or ""}
    assert subprocess.run([sys.executable, "-c", code], timeout=120, check=False, env=environment).returncode == 0


@pytest.mark.parametrize(("end", "is_kept"), [(Ledger.erase, False), (Ledger.cancel, False), (Ledger.reap, True)])
def test_a_look_that_was_added_for_nobody_is_taken_back(
    ledger: Ledger, settings: Settings, tmp_path: Path, end: Any, is_kept: bool
) -> None:
    settings = settings.model_copy(update={"looks_dir": tmp_path})
    wish = ReferenceInput(reference_id="dusk", title="", description="", has_bare=False, width=64, height=64, bytes=5)
    job_id = ledger.accept(NewJob(wish, BundleName(name="mini", grade="demonstration"), "finetune"), b"photo").job_id

    def work(_claim: Claim, _ledger: Ledger, _settings: Settings, _on_progress: OnProgress) -> Output:
        look = settings.added_to(settings.bundle) / "references/dusk"
        look.mkdir(parents=True)
        (look / "reference.toml").write_text('title = "Dusk"')
        end(ledger) if is_kept else end(ledger, job_id)
        return Output(reference_id="dusk")

    finetune_job(ledger, settings, job_id, work)
    sweep_removed(settings.added_to(settings.bundle), ledger)
    assert (settings.added_to(settings.bundle) / "references/dusk").is_dir() == is_kept
