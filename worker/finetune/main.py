"""The worker of long jobs: `python -m worker.finetune.main`. It adds references and fine-tunes styles, one at a time.

Each job runs in a spawned process of its own: a fresh accelerator context, and a crash takes nothing else along. This
process only waits for bells and never loads torch; what a job does is in `worker/finetune/jobs.py`.
"""

import os

import structlog
from celery import Celery

from jobs.logs import configure_logging
from jobs.queue import FINETUNE, make_celery
from jobs.settings import Settings

log = structlog.get_logger()


def make_worker(settings: Settings) -> Celery:
    """The Celery application of this worker; its children import `worker.finetune.task`."""
    celery = make_celery(settings, FINETUNE)
    celery.conf.update(
        include=["worker.finetune.task"],
        worker_pool_start_method="spawn",
        worker_max_tasks_per_child=1,
        task_time_limit=settings.finetune_timeout_s,
        worker_soft_shutdown_timeout=5.0,
        worker_enable_remote_control=False,
    )
    return celery


def main() -> None:
    """Serve until SIGTERM. A job that is cut off is rung again and goes on from its checkpoint."""
    settings = Settings()
    configure_logging(settings.log_level)
    log.info("finetune_worker_ready", bundle=settings.bundle)
    make_worker(settings).worker_main(
        [
            "worker", "--pool=prefork", "--concurrency=1", f"--hostname=finetune@{os.getpid()}", "--loglevel=WARNING",
            "--without-gossip", "--without-mingle", "--without-heartbeat",
        ]
    )  # fmt: skip


if __name__ == "__main__":
    main()
