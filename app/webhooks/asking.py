"""What of a request's webhook cannot be: told before the job is accepted, and without looking a name up."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

import httpx
from starlette.concurrency import run_in_threadpool

from app.serving.door import is_loopback
from app.webhooks.addresses import may_be_told
from diffam_client.contract.problem import FieldError
from diffam_client.contract.webhook import ENDINGS
from jobs.settings import Settings
from jobs.webhooks.secrets import read_secrets

UNSIGNED = "the operator has made no secret that signs webhooks of yours: `diffam webhooks secret`"
EVERYBODYS = "a public key is everybody's, and nothing is signed for everybody"
NOWHERE = "webhook_events needs a webhook_url"
NOT_STORED = "what is not stored cannot be told of: its job is erased with the answer"


async def webhook_refusals(settings: Settings, owner: str | None, known: Mapping[str, Any]) -> list[FieldError]:
    """Why its fields are refused. known: the well-formed ones.  owner: the id of the key, or ""; None: it is public.

    Raises WebhookSecretsDamaged, OSError.
    """
    url = known.get("webhook_url")
    if url is None:
        is_lost = "webhook_url" in known and known.get("webhook_events", ENDINGS) != ENDINGS
        return [FieldError(param="webhook_events", code="invalid_field", detail=NOWHERE)] if is_lost else []
    refused = []
    if detail := _why_not(httpx.URL(url), loopback=settings.webhook_loopback):
        refused.append(FieldError(param="webhook_url", code="webhook_forbidden", detail=detail))
    if owner is None:
        refused.append(FieldError(param="webhook_url", code="webhooks_off", detail=EVERYBODYS))
    elif not (await run_in_threadpool(read_secrets, settings.webhooks)).get(owner):
        refused.append(FieldError(param="webhook_url", code="webhooks_off", detail=UNSIGNED))
    if not known.get("store", True):
        refused.append(FieldError(param="webhook_url", code="invalid_field", detail=NOT_STORED))
    return refused


def _why_not(url: httpx.URL, *, loopback: bool) -> str | None:
    """Why nothing may be sent there, as far as it shows."""
    is_own = is_loopback(url.host.lower().rstrip("."))
    if is_own and not loopback:
        return "messages go to public addresses alone; DIFFAM_WEBHOOK_LOOPBACK opens this machine's own"
    if url.scheme != "https" and not is_own:
        return "messages go out by https alone"
    try:
        address = str(ip_address(url.host))
    except ValueError:  # a name: it is looked up when something is sent, and whatever it is then decides
        return None
    return None if may_be_told(address, loopback=loopback) else "messages go to public addresses alone"
