"""The worker's Celery side: it listens for bells, keeps its signs of life and stops when told to."""

import os
import socket
from contextlib import ExitStack, closing

from jobs.connect import connect
from jobs.ledger import Ledger
from jobs.queue import PROTECT, make_bells, ring
from jobs.settings import Settings
from worker.heartbeat import Heartbeat, repeating, sweep
from worker.tasks import Detect, Protect, make_batcher, photo_job


def serve(settings: Settings, protect: Protect, detect: Detect) -> None:
    """Work until SIGTERM or SIGINT; what is running then is finished first. The models are warm already.

    The pool is threads: a fork breaks CUDA, and solo blocks the hub and loses its job on a cold shutdown.
    """
    name = f"{socket.gethostname()}:{os.getpid()}"
    redis = connect(settings)
    ledger, bells = Ledger(redis, settings), make_bells(settings)
    celery = bells[PROTECT]
    heartbeat = Heartbeat(ledger, name)
    batcher = make_batcher(
        ledger,
        protect,
        batch_size=settings.batch_size,
        wait_s=settings.batch_wait_ms / 1000,
        budget_s=settings.batch_timeout_s,
    )

    @celery.task(name=PROTECT)  # type: ignore[untyped-decorator]
    def protect_task(job_id: str) -> None:
        photo_job(ledger, heartbeat, batcher, detect, job_id)

    celery.conf.worker_enable_remote_control = False  # nobody commands workers through Redis, so none listens
    with ExitStack() as alive:
        alive.enter_context(closing(redis))
        alive.callback(ledger.retire, name)
        alive.enter_context(closing(batcher))
        alive.enter_context(repeating("heartbeat", heartbeat.beat, min(settings.reap_every_s, settings.lease_s / 3)))
        alive.enter_context(
            repeating(
                "reaper",
                lambda: sweep(ledger, lambda job_id: ring(bells[ledger.kind(job_id)], job_id)),
                settings.reap_every_s,
            )
        )
        pool = ["--pool=threads", f"--concurrency={settings.worker_threads}", f"--hostname=protect@{name}"]
        quiet = ["--loglevel=WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat"]
        celery.worker_main(["worker", *pool, *quiet])
