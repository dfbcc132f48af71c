"""A face verifier on somebody else's machine, asked politely: in time, again only where that helps, and never for ever.

What differs between verifiers is a `Service`; a new one is a module in `evaluation/verifiers/`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from random import Random
from time import monotonic, sleep
from typing import Any, Protocol, TypedDict

import httpx

from evaluation.commercial.errors import VerifierError, VerifierRefused, VerifierUnauthorised, VerifierUnavailable
from evaluation.commercial.fitting import PictureLimits, fit_picture

FALSE_ACCEPTS = ("1e-3", "1e-4", "1e-5")
DECISION = "1e-3"
TIMEOUT = httpx.Timeout(30, connect=10)
SAID_CHARS = 120
Said = Mapping[str, Any]
"""The JSON object that a service answered, with whatever it holds."""


@dataclass(frozen=True)
class Confidence:
    """How sure a verifier is that two faces are one person's, 0 to 100, and what it asks for at each false accept rate.

    `thresholds` come with every answer and belong to it: both verifiers say that they may change.
    """

    value: float
    thresholds: Mapping[str, float]

    def __post_init__(self) -> None:
        """Raise ValueError for numbers that no confidence can be, KeyError without the threshold of the decision."""
        numbers = (self.value, *self.thresholds.values())
        if not all(isfinite(number) and 0 <= number <= 100 for number in numbers):
            raise ValueError(f"not confidences: {numbers}")
        if DECISION not in self.thresholds:
            raise KeyError(DECISION)

    @property
    def is_match(self) -> bool:
        """Whether the verifier would say "the same person", one in a thousand strangers included."""
        return self.value >= self.thresholds[DECISION]


class Verifier(Protocol):
    """Compares the largest faces of two encoded pictures."""

    def compare(self, a: bytes, b: bytes) -> Confidence:
        """Raise VerifierUnauthorised, VerifierRefused, VerifierNoFace, VerifierUnavailable."""
        ...


@dataclass(frozen=True)
class Access:
    """Where a service answers, and with which key it is asked."""

    url: str
    key: str = field(repr=False)
    secret: str = field(repr=False)


class Form(TypedDict, total=False):
    """Arguments of one POST: fields and files of a multipart form, or a body, with its headers."""

    data: dict[str, str]
    files: dict[str, tuple[str, bytes, str]]
    content: bytes
    headers: dict[str, str]


@dataclass(frozen=True)
class Service:
    """A verifier that one can subscribe to: who runs it, which pictures it takes, how it is asked and read.

    `form(access, a, b)` gives the arguments of one POST, signed anew each time. `read(facts)` takes the JSON object
    that came back, errors included; it raises a VerifierError, or KeyError, TypeError, ValueError for missing fields.
    """

    title: str
    operator: str
    path: str
    limits: PictureLimits
    form: Callable[[Access, bytes, bytes], Form]
    read: Callable[[Said], Confidence]


def refusal(said: str, unauthorised: tuple[str, ...], busy: tuple[str, ...]) -> VerifierError:
    """The error for a service's code or message, told by how it begins: it is about the key, will pass, or neither."""
    if said.startswith(unauthorised):
        return VerifierUnauthorised(said)
    return VerifierUnavailable(said) if said.startswith(busy) else VerifierRefused(said)


@dataclass(frozen=True)
class Patience:
    """How often a comparison is tried, and how long we wait in between: doubling, jittered."""

    attempts: int = 5
    first_s: float = 1.0
    longest_s: float = 60.0


PATIENT = Patience()


class RemoteVerifier:
    """A `Service` with a key, a client, and the time of its next request."""

    def __init__(
        self,
        service: Service,
        access: Access,
        client: httpx.Client,
        per_second: float,
        patience: Patience = PATIENT,
        random: Random | None = None,
    ) -> None:
        """`client` must not follow redirects: pictures go to one address only."""
        self.service, self.access, self.client, self.patience = service, access, client, patience
        self._random = random or Random()
        self._gap_s, self._next = 1 / per_second, 0.0

    def compare(self, a: bytes, b: bytes) -> Confidence:
        """Compare two encoded pictures, scaled to what the service takes, in at most `patience.attempts` requests.

        Raises VerifierUnauthorised, VerifierRefused, VerifierNoFace, VerifierUnavailable.
        """
        a, b = fit_picture(a, self.service.limits), fit_picture(b, self.service.limits)
        most = self.patience.attempts
        for attempt in range(1, most + 1):
            asked_s = 0.0
            try:
                response = self._post(a, b)
                asked_s = _retry_after_s(response)
                return self._read(response)
            except VerifierUnavailable as error:
                trouble = error
            if attempt == most or asked_s > self.patience.longest_s:
                break
            backoff_s = min(self.patience.first_s * 2 ** (attempt - 1), self.patience.longest_s)
            sleep(max(backoff_s * self._random.uniform(0.5, 1), asked_s))
        raise VerifierUnavailable(f"{trouble}; attempt {attempt} of {most} was the last")

    def _post(self, a: bytes, b: bytes) -> httpx.Response:
        now = monotonic()
        sleep(max(0.0, self._next - now))
        self._next = max(now, self._next) + self._gap_s
        try:
            url = self.access.url.rstrip("/") + self.service.path
            return self.client.post(url, **self.service.form(self.access, a, b), follow_redirects=False)
        except httpx.RequestError as error:  # its request holds the keys, so it goes no further
            raise VerifierUnavailable(f"{self.service.title}: no answer ({type(error).__name__})") from None

    def _read(self, response: httpx.Response) -> Confidence:
        title, status = self.service.title, response.status_code
        try:
            facts = json.loads(self._without_keys(response.text))
        except ValueError:
            facts = None
        try:
            if status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR:
                raise VerifierUnavailable(f"HTTP {status}")
            if isinstance(facts, dict):
                return self.service.read(facts)
            if response.is_success:
                raise VerifierUnavailable("an answer that is not a JSON object")
            raise VerifierRefused(f"HTTP {status}")
        except VerifierError as error:
            said = "".join(filter(str.isprintable, str(error)))
            raise type(error)(f"{title}: {said[:SAID_CHARS]}") from None
        except (KeyError, TypeError, ValueError):
            raise VerifierUnavailable(f"{title}: an answer without the documented fields (HTTP {status})") from None

    def _without_keys(self, text: str) -> str:
        """What came back, should it repeat what we sent."""
        for key in filter(None, (self.access.key, self.access.secret)):
            text = text.replace(key, "***")
        return text


def _retry_after_s(response: httpx.Response) -> float:
    """Seconds that the service asked for (RFC 9110, 10.2.3: a number or a date); 0 when it did not."""
    said = response.headers.get("Retry-After", "")
    if said.isdecimal():
        return float(said)
    try:
        return max(0.0, (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return 0.0
