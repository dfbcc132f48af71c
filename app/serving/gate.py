"""Who asks, where keys are asked for, and whether they may: told from a head, before any of the body is read."""

import re

from starlette.datastructures import Headers

from app.problem import Problem
from app.serving.door import PROBES
from jobs.access.keys import Key, Keyring, Scope

BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)
OPEN_TO_ALL = re.compile(
    r"/|/admin|/page/.*|/manifest\.webmanifest|/service-worker\.js|/share|/widget(\.js|/.*)|/docs(/.*)?"
    r"|/openapi\.json|/problems(/.*)?"
)
"""What tells about the service and nothing about anybody. Whatever is not named here needs a key."""

ONE = "[^/]+"
NEEDED: tuple[tuple[str, str, Scope | None], ...] = (
    ("GET|HEAD", "/v1/admin(/.*)?", "admin"),
    ("GET|HEAD", ".*", None),
    ("POST", f"/v1/jobs/{ONE}/(cancel|retry|redeliver)", None),  # whose it is decides
    ("DELETE", f"/v1/jobs/{ONE}", None),
    ("POST", "/v1/(jobs|faces)", "submit"),
    ("PUT", f"/v1/jobs/{ONE}", "submit"),
    ("POST", f"/v1/references(/{ONE}/finetune)?", "references"),
)
"""The scope that a call needs; None: any key may. Whatever is not named here needs `admin`."""

A_JOB = re.compile(f"/v1/jobs/({ONE})(/.*)?")
"""Every address below a job's is about that job, so it is asked whose it is, whatever the route."""


def is_open_to_all(path: str) -> bool:
    """Whether nobody needs a key there. path: of a request, or a route's template."""
    return path in PROBES or OPEN_TO_ALL.fullmatch(path) is not None


def scope_of(method: str, path: str) -> Scope | None:
    """What a key needs for that call; None: nothing in particular."""
    needed = (scope for methods, paths, scope in NEEDED if re.fullmatch(methods, method) and re.fullmatch(paths, path))
    return next(needed, "admin")


def job_of(path: str) -> str | None:
    """The id of the job that the address is about, if it is about one."""
    found = A_JOB.fullmatch(path)
    return found[1] if found else None


def makes_a_job(method: str, path: str) -> bool:
    """Whether the call makes a job; a PUT or a retry may find one instead."""
    at_the_facade = re.fullmatch("/api/v[12]/media", path) is not None
    return method == "POST" and (at_the_facade or scope_of(method, path) in ("submit", "references"))


def key_of(keyring: Keyring, method: str, path: str, headers: Headers) -> Key | None:
    """The key that may make this call; None where nobody needs one. Raises Problem, KeysDamaged."""
    is_preflight = method == "OPTIONS" and "access-control-request-method" in headers  # browsers send no key with it
    if is_open_to_all(path) or is_preflight or not keyring.is_asked_for:
        return None
    sent = headers.getlist("authorization")
    bearer = BEARER.fullmatch(sent[0]) if len(sent) == 1 else None
    if bearer is None:
        raise Problem("key_missing", "send your key: Authorization: Bearer diffam_...", headers=_challenge())
    key = keyring.find(bearer[1])
    if key is None:
        raise key_refused()
    scope = scope_of(method, path)
    if not key.may(scope):
        detail = f"this call needs a key with the scope {scope!r}; this one has {', '.join(key.scopes)}"
        raise Problem("scope_missing", detail, headers=_challenge(f', error="insufficient_scope", scope="{scope}"'))
    return key


def key_refused() -> Problem:
    """The answer to a key that was never there, or was revoked."""
    return Problem(
        "key_refused", "this key is not known, or was revoked", headers=_challenge(', error="invalid_token"')
    )


def _challenge(why: str = "") -> dict[str, str]:
    """RFC 6750, section 3."""
    return {"WWW-Authenticate": f'Bearer realm="DiffAM"{why}'}
