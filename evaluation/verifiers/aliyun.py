"""Alibaba Cloud CompareFace (Visual Intelligence API, facebody 2019-12-30).

Sources, all at help.aliyun.com: "Face comparison 1:1" (CompareFace: fields, picture limits, thresholds of the answer),
"Request syntax and signature method V2 for RPC APIs" (HMAC-SHA1 signature), "Face and body error codes".
"""

import hmac
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from evaluation.errors import VerifierNoFace, VerifierRefused, VerifierUnauthorised, VerifierUnavailable
from evaluation.fitting import PictureLimits
from evaluation.verifier import FALSE_ACCEPTS, Access, Confidence, Service

NO_FACE = "InvalidImage.NotFoundFace"
UNAUTHORISED = (
    "AuthFailed", "EntityNotExist.Role", "Forbidden", "IncompleteSignature", "InvalidAccessKey", "InvalidApi.",
    "InvalidSecurityToken", "NoPermission", "SignatureDoesNotMatch",
)  # fmt: skip
BUSY = ("InternalError", "ServiceUnavailable", "SignatureNonceUsed", "Throttling")


def sign(fields: Mapping[str, str], secret: str, method: str = "POST") -> str:
    """The signature of an RPC request: base64(HMAC-SHA1(secret + "&", method & "/" & sorted fields)).

    Percent-encoding leaves letters, digits and `-_.~` alone; the list of fields is encoded once more as a whole.
    """
    canonical = "&".join(f"{_percent(name)}={_percent(value)}" for name, value in sorted(fields.items()))
    text = f"{method}&{_percent('/')}&{_percent(canonical)}"
    return b64encode(hmac.digest(f"{secret}&".encode(), text.encode(), "sha1")).decode()


def _percent(text: str) -> str:
    return quote(text, safe="")


def _form(access: Access, a: bytes, b: bytes) -> dict[str, Any]:
    """Everything in the body: an address, with a key in it, would end up in logs."""
    fields = {
        "Action": "CompareFace", "Version": "2019-12-30", "Format": "JSON", "AccessKeyId": access.key,
        "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0", "SignatureNonce": str(uuid4()),
        "Timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "ImageDataA": b64encode(a).decode(), "ImageDataB": b64encode(b).decode(),
    }  # fmt: skip
    return {"data": fields | {"Signature": sign(fields, access.secret)}}


def _read(facts: dict[str, Any]) -> Confidence:
    """Only the code of an error is told on: the message of a wrong signature repeats the whole request."""
    if "Data" in facts:
        data = facts["Data"]
        thresholds = sorted(float(threshold) for threshold in data["Thresholds"])
        return Confidence(float(data["Confidence"]), dict(zip(FALSE_ACCEPTS, thresholds, strict=True)))
    code = str(facts["Code"])
    if code == NO_FACE:
        raise VerifierNoFace(code)
    if code.startswith(UNAUTHORISED):
        raise VerifierUnauthorised(code)
    raise VerifierUnavailable(code) if code.startswith(BUSY) else VerifierRefused(code)


VERIFIER = Service(
    title="Aliyun CompareFace",
    operator="Alibaba Cloud, Shanghai",
    path="/",
    # 32 to 4096 pixels and 5 MB are documented, and faces of at least 64 pixels; base64 adds a third, twice.
    limits=PictureLimits(min_side_px=160, max_side_px=4095, max_bytes=2_500_000),
    form=_form,
    read=_read,
)
