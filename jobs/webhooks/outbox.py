"""The outbox: what webhooks are to be told. The scripts that change a job write messages there; senders lease them.

A job's messages are delivered one after the other, whoever sends. A sender that dies loses its lease, another goes on.
"""

import random
from collections.abc import Sequence
from typing import Any, cast

from redis import Redis

from diffam_client.contract.webhook import Attempt, Deliveries, EndpointState, Event, Message, Webhook
from jobs.errors import ErasedJob, NotRedeliverable, UnknownJob
from jobs.lua.scripts import load_scripts
from jobs.settings import Settings
from jobs.webhooks.delivery import Delivery, Outcome, message_id, moment

RETRIES = 10
LEASE_PER_TIMEOUT = 4  # an attempt is two requests at most, and its name is looked up
OWNED_AT_ONCE, AT_ONCE, UNVERIFIED_AT_ONCE = 16, 4, 1  # deliveries of one owner, and to one endpoint
LOOK_AT = 200  # jobs with something due; most of them may have to wait for a place
LONGEST_PAUSE_S = 3600.0
KNOWN_S = 24 * 3600  # how long an endpoint counts as verified after its last success, and as disabled after its 410


class Outbox:
    """The messages in one Redis. Thread-safe; any call may raise RedisError."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._scripts = load_scripts(redis)
        self._retry_s = settings.webhook_retry_s
        self._lease_s = LEASE_PER_TIMEOUT * settings.webhook_timeout_s + 5

    def take(self, limit: int) -> list[Delivery]:
        """Deliveries that are due, for the caller to make and then to `settle`."""
        most = (OWNED_AT_ONCE, AT_ONCE, UNVERIFIED_AT_ONCE)
        taken = self._scripts["deliveries"](args=[limit, self._lease_s, *most, LOOK_AT])
        return [_delivery(*fields) for fields in taken]

    def settle(self, delivery: Delivery, outcome: Outcome) -> bool:
        """Note what became of a delivery, and when the next attempt is due. False: another sender has it by now."""
        pause_s = min(max(self.pause_s(delivery.tries), outcome.after_s), LONGEST_PAUSE_S)
        return bool(
            self._scripts["settle"](
                args=[
                    *(delivery.job_id, delivery.token, delivery.number, outcome.ending, pause_s, 1 + RETRIES),
                    *(int(outcome.is_proven), outcome.attempt.model_dump_json(), KNOWN_S),
                ]
            )
        )

    def release(self, delivery: Delivery) -> None:
        """Give a delivery back that was not made: it is due at once."""
        self._scripts["settle"](args=[delivery.job_id, delivery.token, delivery.number, "released"])

    def pause_s(self, tries: int) -> float:
        """From an attempt to the next one: twice as long each time, less up to a quarter by chance."""
        return float(self._retry_s * 2**tries * random.uniform(0.75, 1))

    def redeliver(self, job_id: str) -> None:
        """Have everything told again, from the first message on. Raises UnknownJob, ErasedJob, NotRedeliverable."""
        answer = int(self._scripts["redeliver"](args=[job_id]))
        if answer == 0:
            raise NotRedeliverable("the job has no webhook, or nothing to tell it yet")
        if answer < 0:
            raise ErasedJob(job_id) if answer == -2 else UnknownJob(job_id)

    def read(self, job_id: str) -> Deliveries | None:
        """What the job's webhook was told; None where it has none. Raises UnknownJob, ErasedJob."""
        webhook, told, *rest = self._scripts["outbox"](args=[job_id])
        if webhook is None:
            raise ErasedJob(job_id) if told else UnknownJob(job_id)
        if not webhook:
            return None
        attempts, endpoint, due = rest
        fields = dict(zip(told[::2], told[1::2], strict=True))
        return Deliveries(
            webhook=Webhook.model_validate_json(webhook),
            endpoint=cast("EndpointState", endpoint.decode()) if endpoint else "unverified",
            messages=_messages(job_id, fields, [Attempt.model_validate_json(each) for each in attempts], due),
        )


def _delivery(job_id: bytes, token: int, number: int, event: bytes, at: bytes, *rest: Any) -> Delivery:
    """As lua/deliveries.lua tells it."""
    tries, webhook, is_verified, owner, kind, client_ref, traceparent = rest
    return Delivery(
        job_id.decode(), token, number, cast("Event", event.decode()), moment(float(at)), tries,
        Webhook.model_validate_json(webhook), bool(is_verified), owner.decode(), kind.decode(),
        client_ref.decode() or None, traceparent.decode(),
    )  # fmt: skip


def _messages(job_id: str, told: dict[bytes, bytes], attempts: Sequence[Attempt], due: bytes | None) -> list[Message]:
    """The outbox of a job as lua/prelude.lua wrote it."""
    messages: list[Message] = []
    for number in range(1, int(told.get(b"messages", 0)) + 1):
        its_id = message_id(job_id, number)
        event, at, state, tries = (
            told[f"{name}:{number}".encode()].decode() for name in ("type", "at", "state", "tries")
        )
        is_next = state == "pending" and all(each.state != "pending" for each in messages)
        message = Message.model_validate({
            "id": its_id, "type": event, "at": moment(float(at)), "state": state, "tries": int(tries),
            "next_attempt_at": moment(float(due)) if due and is_next else None,
            "attempts": [each for each in attempts if each.message_id == its_id],
        })  # fmt: skip
        messages.append(message)
    return messages
