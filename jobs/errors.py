"""What the ledger can answer instead of a job.

LedgerError
├── UnknownJob         no such job, or a foreign one: the two look the same
├── ErasedJob          it was here; deleted or expired
├── JobExists          the id that the client chose belongs to another job
├── KeyReused          the idempotency key came with another payload before
├── BeingRead          the same request is being read at this moment
├── NotRetryable       nothing of the job can be tried again
├── QueueFull          too many jobs wait
├── TooManyJobs        as many jobs of a key wait or run as may
├── StoreFull          Redis is out of memory or of disk
├── EndpointDisabled   the job's webhook answered 410 to an earlier one
├── NotRedeliverable   the job's webhook has nothing to be told
├── UnknownKey         no such key of the API
├── KeysDamaged        the file of keys cannot be read
├── WebhookSecretsDamaged  the file of webhooks' secrets cannot be read
└── RedisNotConfigured no address was given and no embedded server was started
"""


class LedgerError(Exception):
    """Base of the package; `code` is stable and public."""

    code = "internal"


class UnknownJob(LedgerError):
    """No job has this id."""

    code = "unknown_job"


class ErasedJob(LedgerError):
    """The job was deleted or has expired; nothing of it is left."""

    code = "erased_job"


class JobExists(LedgerError):
    """The id that the client chose for its job belongs to a job of another payload."""

    code = "job_exists"


class KeyReused(LedgerError):
    """The idempotency key came with another payload before."""

    code = "idempotency_key_reused"


class BeingRead(LedgerError):
    """The same request is being read at this moment, and has made no job yet."""

    code = "request_in_progress"


class NotRetryable(LedgerError):
    """The job waits, runs or succeeded, has failed for good, or what it was about is no longer there."""

    code = "job_not_retryable"


class QueueFull(LedgerError):
    """The service takes no more jobs for the moment."""

    code = "queue_full"


class TooManyJobs(LedgerError):
    """As many jobs of this key wait or run as may at once."""

    code = "too_many_jobs"


class StoreFull(LedgerError):
    """Redis answers, but has no room: for jobs in memory, or for its file on disk."""

    code = "store_full"


class EndpointDisabled(LedgerError):
    """The endpoint answered 410 lately: it wants to be told nothing."""

    code = "webhook_disabled"


class NotRedeliverable(LedgerError):
    """The job has no webhook, or nothing has happened that this one is to be told."""

    code = "not_redeliverable"


class UnknownKey(LedgerError):
    """No key of the API has this id."""

    code = "unknown_key"


class KeysDamaged(LedgerError):
    """The file of keys holds something else, so nobody is let in."""

    code = "keys_damaged"


class WebhookSecretsDamaged(LedgerError):
    """The file of secrets that sign webhooks holds something else."""

    code = "webhook_secrets_damaged"


class RedisNotConfigured(LedgerError):
    """Neither DIFFAM_REDIS_URL nor an embedded server."""

    code = "redis_not_configured"
