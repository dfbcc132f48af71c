"""What can go wrong between here and a service.

ClientError
├── Unreachable       no answer came, however often it was asked
├── AnswerUnreadable  an answer came that says nothing known here
├── NotOver           the time to wait is up, and the job goes on
├── JobFailed         the job ended without a result
└── Refused           the service said no, and why
    ├── KeyRefused    401, 403: the key is missing, unknown or may do other things
    ├── NotThere      404, 410: no such job, or it was erased
    ├── Conflict      409: not in the state that the job is in
    ├── BadRequest    any other 4xx: the photo, or what was asked of it
    ├── TooMuch       429: a quota is used up
    └── Unavailable   5xx: the service cannot, for the moment
"""

from collections.abc import Sequence

from diffam_client.contract.job import Job
from diffam_client.contract.problem import FieldError, ProblemDocument


class ClientError(Exception):
    """Base of the package; `code` is stable, as `/problems` of a service explains it or as the class says."""

    code = "client_error"

    def __init__(self, message: str) -> None:
        self.message = message

    def __str__(self) -> str:
        """Code and message."""
        return f"{self.code}: {self.message}"


class Unreachable(ClientError):
    """No answer from the service."""

    code = "service_unreachable"


class AnswerUnreadable(ClientError):
    """The answer is no answer of such a service, or one of a later version in words unknown here."""

    code = "answer_unreadable"


class NotOver(ClientError):
    """The job was not over in time. It goes on at the service: `wait` for `job_id` again, or `cancel` it."""

    code = "not_over"

    def __init__(self, job_id: str, timeout_s: float) -> None:
        super().__init__(f"the job {job_id} was not over in {timeout_s:g} s")
        self.job_id = job_id


class JobFailed(ClientError):
    """The job failed or was canceled; `code` and `message` are those of its `error`."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.code, told = (job.error.code, job.error.message) if job.error else (job.status, "no reason was given")
        super().__init__(told)

    @property
    def retryable(self) -> bool:
        """The same request may succeed another time."""
        return self.job.error is not None and self.job.error.retryable


class Refused(ClientError):
    """A problem document. `retry_after_s`: when it is worth coming back; None where the service does not say."""

    def __init__(self, problem: ProblemDocument, retry_after_s: float | None = None) -> None:
        self.problem, self.retry_after_s, self.code = problem, retry_after_s, problem.code
        super().__init__(problem.detail)

    @property
    def title(self) -> str:
        """The code in words."""
        return self.problem.title

    @property
    def detail(self) -> str:
        """What is wrong, in a sentence."""
        return self.problem.detail

    @property
    def status(self) -> int:
        """Of the answer."""
        return self.problem.status

    @property
    def param(self) -> str | None:
        """The field at fault; of several, the first."""
        return self.problem.param

    @property
    def errors(self) -> Sequence[FieldError]:
        """Every field that is wrong."""
        return self.problem.errors

    @property
    def retryable(self) -> bool:
        """The same request may succeed another time."""
        return self.problem.retryable

    @property
    def request_id(self) -> str:
        """Under which the service's log tells of it."""
        return self.problem.request_id


class KeyRefused(Refused):
    """The key is missing, unknown or may do other things than this."""


class NotThere(Refused):
    """No such job, reference or address; or it was erased or has expired."""


class Conflict(Refused):
    """What was asked does not go with the state that things are in."""


class BadRequest(Refused):
    """The photo, or something that was asked of it, cannot be."""


class TooMuch(Refused):
    """A quota of the key is used up."""


class Unavailable(Refused):
    """The service cannot do it for the moment, or made a mistake."""


def refusal(problem: ProblemDocument, retry_after_s: float | None) -> Refused:
    """The error of a problem document, by its status."""
    kinds: dict[int, type[Refused]] = {
        401: KeyRefused, 403: KeyRefused, 404: NotThere, 410: NotThere, 409: Conflict, 429: TooMuch,
    }  # fmt: skip
    kind = Unavailable if problem.status >= 500 else kinds.get(problem.status, BadRequest)
    return kind(problem, retry_after_s)
