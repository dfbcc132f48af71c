"""What a client hands in, before it is a job: the wish, and how the same request is known when it comes again."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import IO

from diffam_client.contract.job import AnyInput, BundleName, Kind
from diffam_client.contract.webhook import Webhook
from jobs.errors import EndpointDisabled, ErasedJob, JobExists, KeyReused, QueueFull, TooManyJobs

PIECE_BYTES = 1 << 20
# What the scripts answer; 1: accepted.
QUEUE_FULL, REPEATED, DIFFERS, GONE, UNKNOWN, TOO_MANY, DISABLED = 0, 2, -1, -2, -3, -4, -5


@dataclass(frozen=True)
class Once:
    """A request that makes one job however often it comes. `name`: under which it is known, a digest.

    payload: a digest of what was sent, or "" while that is not known. job_id: the id that the client chose, if it did.
    """

    name: str
    payload: str = ""
    job_id: str | None = None
    _secret: bytes = field(default=b"", repr=False)

    @classmethod
    def by_key(cls, key: str, owner: str = "") -> "Once":
        """Known by its `Idempotency-Key`, to that owner alone."""
        return cls(hashlib.sha256(f"key:{owner}:{key}".encode()).hexdigest(), _secret=key.encode())

    @classmethod
    def by_retry(cls, job_id: str) -> "Once":
        """Known by the job that it retries."""
        return cls(hashlib.sha256(f"retry:{job_id}".encode()).hexdigest())

    @classmethod
    def by_id(cls, job_id: str, owner: str = "") -> "Once":
        """Known by the id that the client chose for its job, to that owner alone."""
        name = hashlib.sha256(f"id:{owner}:{job_id}".encode()).hexdigest()
        return cls(name, job_id=job_id, _secret=job_id.encode())

    def sealed(self, said: str, files: Mapping[str, IO[bytes]]) -> "Once":
        """The same with the digest of what was sent. Keyed: without the client's secret it proves nobody's photo."""
        mac = hmac.new(self._secret, said.encode(), "sha256")
        for name, file in sorted(files.items()):
            mac.update(name.encode() + _digest(file))
        return replace(self, payload=mac.hexdigest())


@dataclass(frozen=True)
class Terms:
    """What holds for one job, beside the wish. In seconds; None: what holds for all.

    start_within_s, end_within_s: it is canceled unless work has begun, or it is over.  ttl_s: life of what came of it.
    client_ref: what the client calls it.  webhook: who is told of it.
    """

    start_within_s: float | None = None
    end_within_s: float | None = None
    ttl_s: int | None = None
    client_ref: str | None = None
    webhook: Webhook | None = None

    def noted(self) -> dict[str, str | int]:
        """What the record keeps of them by its own names; deadlines are moments there, and the script's to tell."""
        webhook = self.webhook.model_dump_json() if self.webhook else None
        told = {"ttl_s": self.ttl_s, "client_ref": self.client_ref, "webhook": webhook}
        return {name: value for name, value in told.items() if value is not None}


@dataclass(frozen=True)
class NewJob:
    """A request to write down. owner: the id of the key that sent it, "" where none is asked for.

    most_at_once: jobs of theirs that may wait or run; None: any number.  traceparent: of the request, "" if none came.
    """

    input: AnyInput
    bundle: BundleName
    kind: Kind = "protect"
    once: Once | None = None
    terms: Terms = Terms()
    owner: str = ""
    most_at_once: int | None = None
    traceparent: str = ""
    job_id: str = field(default_factory=lambda: secrets.token_hex(16))

    def __post_init__(self) -> None:
        """The client's own id counts."""
        if self.once and self.once.job_id:
            object.__setattr__(self, "job_id", self.once.job_id)


@dataclass(frozen=True)
class Accepted:
    """The job of a request. is_repeat: an earlier one made it."""

    job_id: str
    is_repeat: bool = False


def accepted(once: Once, answer: int, job_id: bytes) -> Accepted:
    """What accept.lua, retry.lua and before.lua answer.

    Raises QueueFull, TooManyJobs, EndpointDisabled, JobExists, KeyReused, ErasedJob.
    """
    if answer == QUEUE_FULL:
        raise QueueFull("as many jobs wait already as may")
    if answer == TOO_MANY:
        raise TooManyJobs("as many of your jobs wait or run as may at once; come back when one is over")
    if answer == DISABLED:
        raise EndpointDisabled("it answered 410 lately; redeliver an earlier job to it, or name another")
    if answer == GONE:
        raise ErasedJob("the job of this request was erased or has expired")
    if answer == DIFFERS:
        if once.job_id:
            raise JobExists("this id belongs to a job of another photo or wish")
        raise KeyReused("this key came with another photo or wish before")
    return Accepted(job_id.decode(), is_repeat=answer == REPEATED)


def _digest(file: IO[bytes]) -> bytes:
    """SHA-256 of all that an open file holds."""
    digest = hashlib.sha256()
    file.seek(0)
    while piece := file.read(PIECE_BYTES):
        digest.update(piece)
    return digest.digest()
