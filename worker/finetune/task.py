"""What a spawned process of the worker of long jobs does: one job, then it ends."""

from contextlib import closing

from celery import shared_task

from jobs.connect import connect
from jobs.ledger import Ledger
from jobs.logs import configure_logging
from jobs.queue import FINETUNE
from jobs.settings import Settings


def finetune_task(job_id: str) -> None:
    """Bring `job_id` to its end. A bell that comes late, for a job that no longer waits, costs no torch."""
    settings = Settings()
    configure_logging(settings.log_level)
    with closing(connect(settings)) as redis:
        ledger = Ledger(redis, settings)
        if not ledger.is_waiting(job_id):
            return
        from worker.finetune.jobs import finetune, finetune_job

        finetune_job(ledger, settings, job_id, finetune)


shared_task(finetune_task, name=FINETUNE, ignore_result=True)
