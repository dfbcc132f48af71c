"""Why a job ended without a worker that could say so."""

from diffam_client.contract.job import JobError

WORKER_LOST = JobError(code="worker_lost", message="the workers that held this job all died", retryable=True)
CANCELED = JobError(code="canceled", message="somebody canceled this job", retryable=True)
BY_OPERATOR = JobError(code="canceled", message="the operator of the service canceled this job", retryable=True)
NOT_BEGUN = JobError(code="deadline_passed", message="no worker was free in the time that was set", retryable=True)
NOT_OVER = JobError(code="deadline_passed", message="it was not over in the time that was set", retryable=True)
QUEUE_TIMEOUT = JobError(code="queue_timeout", message="no worker was free in time", retryable=True)
PHOTO_EXPIRED = JobError(code="photo_expired", message="the photo expired before a worker was free", retryable=True)
