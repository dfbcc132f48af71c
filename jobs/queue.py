"""The doorbell: a Celery message that carries a job id and nothing else.

The ledger is the truth. A lost bell is rung again by the reaper, a doubled one finds nothing to claim.
"""

from celery import Celery
from kombu.exceptions import OperationalError

from jobs.connect import SOCKET, TCP, broker_url
from jobs.settings import Settings

PROTECT = "protect"  # name of the task, and of the queue it travels on
VISIBILITY_TIMEOUT_S = 300


def make_celery(settings: Settings) -> Celery:
    """The Celery application, for the web process to ring and for the worker to serve.

    Transport facts behind the numbers (Kombu 5.7): without `socket_timeout` a publish can hang for ever; with
    `unacked_restore_*` at 5 and 1 an unacknowledged message returns after 8 s instead of 104; the shortest of the
    three visibility timeouts wins, so all three are set; `max_retries` bounds the wait for a broker that is down.
    """
    celery = Celery("diffam", broker=broker_url(settings))
    visibility = {"visibility_timeout": VISIBILITY_TIMEOUT_S}
    celery.conf.update(
        task_default_queue=PROTECT,
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
        visibility_timeout=VISIBILITY_TIMEOUT_S,
        task_publish_retry_policy={"max_retries": 2, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.5},
    )
    return celery


def ring(celery: Celery, job_id: str) -> bool:
    """Tell the workers that `job_id` waits. Blocks for seconds at most; False: the broker cannot be reached."""
    try:
        celery.send_task(PROTECT, args=[job_id])
    except OperationalError:
        return False
    return True
