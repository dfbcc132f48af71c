"""What is to go away says so beforehand: in the OpenAPI document, and in every answer (RFC 9745, RFC 8594).

A call is marked by `openapi_extra=deprecated(...)` of its route, a form's field by `json_schema_extra=deprecated(...)`.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from email.utils import format_datetime
from typing import Any

from pydantic.config import JsonDict

SINCE, SUNSET = "x-deprecated-since", "x-sunset"


def deprecated(since: date, sunset: date | None = None) -> JsonDict:
    """The mark. sunset: the day on which it may be gone; None: that is not known yet."""
    mark: JsonDict = {"deprecated": True, SINCE: since.isoformat()}
    return {**mark, SUNSET: sunset.isoformat()} if sunset else mark


def deprecation_headers(marked: object) -> dict[str, str]:
    """What an answer says of it; nothing where there is no mark."""
    if not isinstance(marked, Mapping) or SINCE not in marked:
        return {}
    sunset = {"Sunset": format_datetime(_midnight(marked[SUNSET]), usegmt=True)} if SUNSET in marked else {}
    return {"Deprecation": f"@{int(_midnight(marked[SINCE]).timestamp())}"} | sunset


def _midnight(day: Any) -> datetime:
    return datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)
