"""The doorbell: a Celery message that carries a job id and nothing else.

The ledger is the truth. A lost bell is rung again by the reaper, a doubled one finds nothing to claim.
"""

from celery import Celery, signals
from kombu.exceptions import OperationalError

from diffam_client.contract.job import Kind
from jobs.connect import SOCKET, TCP, broker_url
from jobs.settings import Settings

PROTECT: Kind = "protect"  # name of the task, and of the queue it travels on
FINETUNE: Kind = "finetune"
DETECT: Kind = "detect"
VISIBILITY_TIMEOUT_S = {PROTECT: 300, FINETUNE: 6 * 3600}


def make_celery(settings: Settings, kind: Kind = PROTECT) -> Celery:
    """The Celery application of one kind of job, for the web process to ring and for a worker to serve.

    Transport facts behind the numbers (Kombu 5.7): without `socket_timeout` a publish can hang for ever; with
    `unacked_restore_*` at 5 and 1 an unacknowledged message returns after 8 s instead of 104; the shortest of the
    three visibility timeouts wins, so all three are set; `max_retries` bounds the wait for a broker that is down.
    """
    signals.setup_logging.connect(_keep_our_logging)
    celery = Celery(f"diffam-{kind}", broker=broker_url(settings), set_as_current=False)
    visibility_s = VISIBILITY_TIMEOUT_S[kind]
    visibility: dict[str, object] = {"visibility_timeout": visibility_s}
    if kind == FINETUNE:  # keys of its own: two visibility timeouts under one prefix, and the shorter wins
        visibility["global_keyprefix"] = "finetune:"
    celery.conf.update(
        task_default_queue=kind,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        broker_connection_max_retries=None,
        broker_connection_retry_on_startup=True,
        broker_transport_options=visibility
        | SOCKET
        | TCP
        | {"unacked_restore_interval": 5, "unacked_restore_throttle": 1, "max_retries": 2, "interval_max": 0.5},
        result_backend_transport_options=visibility,
        visibility_timeout=visibility_s,
        task_publish_retry_policy={"max_retries": 2, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.5},
    )
    return celery


def make_bells(settings: Settings) -> dict[Kind, Celery]:
    """The application to ring for each kind of job; photos whose faces are only to be found go where photos go."""
    photos = make_celery(settings)
    return {PROTECT: photos, DETECT: photos, FINETUNE: make_celery(settings, FINETUNE)}


def _keep_our_logging(**_: object) -> None:
    """Being connected is what matters: Celery then leaves the loggers of a worker alone."""


def ring(celery: Celery, job_id: str) -> bool:
    """Tell the workers of that application that `job_id` waits. Blocks for seconds at most; False: no broker."""
    try:
        celery.send_task(celery.conf.task_default_queue, args=[job_id])
    except OperationalError:
        return False
    return True
