"""How much whoever asks may still ask for, told from a request's head, before any of its body is read."""

from collections.abc import Iterable

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import Scope

from app.problem import Problem
from app.serving.gate import job_of, key_of, makes_a_job
from jobs.access.keys import Guest, Key, Keyring
from jobs.access.quotas import Left, Quotas
from jobs.errors import TooManyJobs, UnknownJob
from jobs.ledger import Ledger

UNITS = {"requests": "requests", "bytes": "content-bytes"}


async def recognise(scope: Scope, keyring: Keyring) -> Key | None:
    """The key that may make this call; None where nobody needs one. A wrong one is counted for its address.

    Raises Problem, also where more wrong ones came from there than may in a minute; KeysDamaged, RedisError.
    """
    try:
        return key_of(keyring, scope["method"], scope["path"], Headers(scope=scope))
    except Problem as refused:
        if refused.code == "key_refused":
            address = scope["client"][0] if scope.get("client") else ""
            wait_s = await run_in_threadpool(scope["app"].state.service.quotas.try_wrong_key, address)
            if wait_s is not None:
                detail = f"too many wrong keys came from this address; ask again in {wait_s} s"
                raise Problem("wrong_keys_exceeded", detail, headers={"Retry-After": str(wait_s)}) from refused
        raise


async def admit(scope: Scope, key: Key | Guest, size_bytes: int) -> None:
    """Count the request, and its upload of `size_bytes`, and note in the state the headers that tell what is left.

    Raises Problem where a quota is used up, TooManyJobs, UnknownJob where the job is another key's, RedisError.
    """
    service = scope["app"].state.service
    await run_in_threadpool(_admit, scope, service.quotas, service.ledger, key, size_bytes)


def _admit(scope: Scope, quotas: Quotas, ledger: Ledger, key: Key | Guest, size_bytes: int) -> None:
    is_in_time = quotas.use("requests", key, 1)
    requests, uploads = quotas.left("requests", key), quotas.left("bytes", key)
    scope["state"]["allowance"] = _headers((requests, uploads))
    if not is_in_time:
        raise _used_up("rate_exceeded", requests)
    job_id = job_of(scope["path"])
    if job_id is not None and ledger.owner(job_id) not in (None, key.id):
        raise UnknownJob(job_id)  # as of one that never was
    is_new = makes_a_job(scope["method"], scope["path"]) and "idempotency-key" not in Headers(scope=scope)
    if is_new and quotas.jobs_at_once(key) >= key.quota.jobs_at_once:
        raise TooManyJobs(f"{key.quota.jobs_at_once} of your jobs wait or run; come back when one is over")
    if size_bytes:
        is_in_room = quotas.use("bytes", key, size_bytes)
        uploads = quotas.left("bytes", key)
        scope["state"]["allowance"] = _headers((requests, uploads))
        if not is_in_room:
            raise _used_up("bytes_exceeded", uploads)


def _used_up(code: str, left: Left) -> Problem:
    detail = f"your key may use {left.most} {left.name} in {left.window_s} s; {left.remaining} are left"
    return Problem(code, detail, headers={"Retry-After": str(max(1, left.reset_s))})


def _headers(all_left: Iterable[Left]) -> dict[str, str]:
    """As the draft of RateLimit header fields for HTTP spells them."""
    told = list(all_left)
    policies = [f'"{each.name}";q={each.most};w={each.window_s};qu="{UNITS[each.name]}"' for each in told]
    left = [f'"{each.name}";r={each.remaining};t={each.reset_s}' for each in told]
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(left)}
