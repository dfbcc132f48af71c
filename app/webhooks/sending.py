"""One attempt: challenge the endpoint if it never answered one, then send the message, and say what came of it."""

import asyncio
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic

import httpx
from pydantic import BaseModel

from app.webhooks.messages import challenge_message, event_message, headers_of
from app.webhooks.pinned import NoPublicAddress
from diffam_client.contract.webhook import Attempt, AttemptError
from jobs.webhooks.delivery import Delivery, Ending, Outcome

CHALLENGE_BYTES = 32
MOST_ANSWER_BYTES = 4096  # of an answered challenge; of all others nothing is read
UNREAD = {"accept-encoding": "identity"}


@dataclass(frozen=True)
class Answer:
    """What an endpoint said. error: why it is no success; text: of a success, as far as it was asked for."""

    status_code: int | None
    error: AttemptError | None
    text: str = field(default="", repr=False)
    after_s: float = 0


@dataclass(frozen=True)
class Sender:
    """How messages go out. timeout_s: for everything up to an answer's head, and for a challenge's answer."""

    client: httpx.AsyncClient
    timeout_s: float
    public_url: str | None

    async def attempt(self, delivery: Delivery, signing: Sequence[str]) -> Outcome:
        """Try once. signing: the owner's secrets, newest first; without one nothing is sent. Never raises."""
        at, started, is_proven = datetime.now(UTC), monotonic(), False

        def outcome(ending: Ending, answer: Answer) -> Outcome:
            seconds = round(monotonic() - started, 3)
            attempt = Attempt(
                at=at,
                message_id=delivery.message_id,
                status_code=answer.status_code,
                error=answer.error,
                seconds=seconds,
            )
            return Outcome(ending, attempt, is_proven, answer.after_s)

        if not signing:
            return outcome("again", Answer(None, "no_secret"))
        if not delivery.is_verified:
            answer = await self._challenge(delivery, signing)
            if answer.error:
                return outcome("gone" if answer.error == "gone" else "unverified", answer)
            is_proven = True
        message = event_message(delivery, self.public_url)
        answer = await self._post(delivery, delivery.message_id, message, signing)
        if answer.error is None:
            is_proven = True
            return outcome("delivered", answer)
        return outcome("gone" if answer.error == "gone" else "again", answer)

    async def _challenge(self, delivery: Delivery, signing: Sequence[str]) -> Answer:
        """Whether the endpoint wants our messages: only who reads this one can answer it."""
        challenge = secrets.token_urlsafe(CHALLENGE_BYTES)
        message_id = f"msg_{secrets.token_hex(16)}"
        answer = await self._post(delivery, message_id, challenge_message(challenge), signing, MOST_ANSWER_BYTES)
        if answer.error is None and not _is_answered(challenge, answer.text):
            return Answer(answer.status_code, "challenge")
        return answer

    async def _post(
        self, delivery: Delivery, message_id: str, message: BaseModel, signing: Sequence[str], read_bytes: int = 0
    ) -> Answer:
        url, body = delivery.webhook.url, message.model_dump_json()
        headers = headers_of(message_id, body, signing) | UNREAD
        headers |= {"traceparent": delivery.traceparent} if delivery.traceparent else {}
        try:
            async with asyncio.timeout(self.timeout_s):
                async with self.client.stream("POST", url, content=body.encode(), headers=headers) as response:
                    error = _error_of(response.status_code)
                    text = await _start_of(response, read_bytes) if error is None else ""
                    return Answer(response.status_code, error, text, _after_s(response))
        except NoPublicAddress:
            return Answer(None, "no_public_address")
        except (TimeoutError, httpx.TimeoutException):
            return Answer(None, "timeout")
        except httpx.HTTPError:
            return Answer(None, "unreachable")


def _error_of(status_code: int) -> AttemptError | None:
    """What an answer other than 2xx means."""
    if 200 <= status_code < 300:
        return None
    if status_code == httpx.codes.GONE:
        return "gone"
    return "redirect" if 300 <= status_code < 400 else "status"


async def _start_of(response: httpx.Response, most_bytes: int) -> str:
    """The beginning of an answer's body, as it came."""
    text = b""
    if most_bytes:
        async for piece in response.aiter_raw():
            text += piece
            if len(text) >= most_bytes:
                break
    return text[:most_bytes].decode("utf-8", "replace")


def _after_s(response: httpx.Response) -> float:
    """What `Retry-After` asks for, in seconds; it may be a date, too, which is left to our own pauses."""
    text = response.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 8 else 0


def _is_answered(challenge: str, text: str) -> bool:
    try:
        told = json.loads(text)
    except ValueError:
        return False
    return isinstance(told, dict) and told.get("challenge") == challenge
