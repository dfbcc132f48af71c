"""Alibaba Cloud CompareFace (Visual Intelligence API, facebody 2019-12-30).

Sources, all at help.aliyun.com: "Face comparison 1:1" (CompareFace: fields, picture limits, thresholds of the answer),
"Request syntax and signature method V3" (ACS3-HMAC-SHA256), "Face and body error codes".
"""

import hmac
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import urlencode
from uuid import uuid4

import httpx

from evaluation.commercial.errors import VerifierNoFace
from evaluation.commercial.fitting import PictureLimits
from evaluation.commercial.verifier import FALSE_ACCEPTS, Access, Confidence, Form, Said, Service, refusal

ALGORITHM = "ACS3-HMAC-SHA256"
NO_FACE = "InvalidImage.NotFoundFace"
UNAUTHORISED = (
    "AuthFailed", "EntityNotExist.Role", "Forbidden", "IncompleteSignature", "InvalidAccessKey", "InvalidApi.",
    "InvalidSecurityToken", "NoPermission", "SignatureDoesNotMatch",
)  # fmt: skip
BUSY = ("InternalError", "ServiceUnavailable", "SignatureNonceUsed", "Throttling")


def authorise(headers: Mapping[str, str], access: Access, query: str = "") -> str:
    """The Authorization header of a POST to "/" with these headers, all of them signed; names in lower case.

    The signature is hex(HMAC-SHA256(secret, algorithm and digest of the canonical request)).  headers: `host` and
    `x-acs-content-sha256`, the hex digest of the body, must be among them.  query: sorted and percent-encoded.
    """
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{value.strip()}\n" for name, value in sorted(headers.items()))
    canonical = "\n".join(["POST", "/", query, lines, names, headers["x-acs-content-sha256"]])
    text = f"{ALGORITHM}\n{sha256(canonical.encode()).hexdigest()}"
    signature = hmac.digest(access.secret.encode(), text.encode(), "sha256").hex()
    return f"{ALGORITHM} Credential={access.key},SignedHeaders={names},Signature={signature}"


def _form(access: Access, a: bytes, b: bytes) -> Form:
    """Nothing in the address: it, and a key in it, would end up in logs."""
    body = urlencode({"ImageDataA": b64encode(a).decode(), "ImageDataB": b64encode(b).decode()}).encode()
    headers = {
        "host": httpx.URL(access.url).netloc.decode(),
        "content-type": "application/x-www-form-urlencoded",
        "x-acs-action": "CompareFace",
        "x-acs-content-sha256": sha256(body).hexdigest(),
        "x-acs-date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": uuid4().hex,
        "x-acs-version": "2019-12-30",
    }
    signed = {"authorization": authorise(headers, access), "accept": "application/json"}
    return {"content": body, "headers": headers | signed}


def _read(facts: Said) -> Confidence:
    """Only the code of an error is told on: the message of a wrong signature repeats the whole request."""
    if "Data" in facts:
        data = facts["Data"]
        thresholds = sorted(float(threshold) for threshold in data["Thresholds"])
        return Confidence(float(data["Confidence"]), dict(zip(FALSE_ACCEPTS, thresholds, strict=True)))
    code = str(facts["Code"])
    if code == NO_FACE:
        raise VerifierNoFace(code)
    raise refusal(code, UNAUTHORISED, BUSY)


VERIFIER = Service(
    title="Aliyun CompareFace",
    operator="Alibaba Cloud, Shanghai",
    path="/",
    # 32 to 4096 pixels and 5 MB are documented, and faces of at least 64 pixels; base64 adds a third, twice.
    limits=PictureLimits(min_side_px=160, max_side_px=4095, max_bytes=2_500_000),
    form=_form,
    read=_read,
)
