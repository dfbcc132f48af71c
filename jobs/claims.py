"""What the ledger hands to workers: the right to work on a job, and what a sweep found."""

from dataclasses import dataclass, field

from diffam_client.contract.job import AnyInput


@dataclass(frozen=True)
class Claim:
    """The right to work on a job, until the lease runs out. `token` is the fencing token, `photo` PNG bytes.

    attempt: counts the claims under which work on it began, this one included.  traceparent: of its request, or "".
    """

    job_id: str
    token: int
    attempt: int
    input: AnyInput
    photo: bytes = field(repr=False, compare=False)
    traceparent: str = field(default="", compare=False)

    @property
    def is_suspect(self) -> bool:
        """A worker ended while it worked on this job: nobody else should be near when that happens again."""
        return self.attempt > 1


@dataclass(frozen=True)
class Reaped:
    """Job ids by what a sweep did with them; whoever swept rings for `bells`."""

    requeued: tuple[str, ...] = ()
    overdue: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    timed_out: tuple[str, ...] = ()

    @property
    def bells(self) -> tuple[str, ...]:
        """Jobs that wait and whose message is gone or late."""
        return self.requeued + self.overdue
