"""What has been promised: the OpenAPI document of the last release, and whether today's takes any of it back.

`python -m tests.contract.released` keeps today's document as the released one. Do that when a version is released, or
where a promise is broken on purpose and CHANGELOG.md says so.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.main import create_app
from jobs.settings import Settings
from model_store.catalog import BUNDLES

Schema = dict[str, Any]

RELEASED = Path(__file__).parents[2] / "docs/openapi.json"
BOUNDS = {"maxLength": -1, "maximum": -1, "maxItems": -1, "minLength": 1, "minimum": 1, "minItems": 1}
"""The greater it may be (-1: the less), the fewer values are let in."""


def today() -> Schema:
    """The document as the code tells it now."""
    settings = Settings(_env_file=None, redis_url="redis://nowhere", bundles_dir=BUNDLES, bundle="mini")
    return create_app(settings).openapi()


def broken(then: Schema, now: Schema) -> Iterator[str]:
    """What a client of the earlier document can no longer rely on.

    Calls, answers and their fields may come, none may go; what may be sent may grow, not shrink. A new word in an
    answer breaks nothing: clients pass over words that they do not know.
    """
    for path, operations in then["paths"].items():
        for method, before in operations.items():
            call = f"{method.upper()} {path}"
            after = now["paths"].get(path, {}).get(method)
            if after is None:
                yield f"{call} is gone"
                continue
            yield from _refused(call, then, now, _sent(before), _sent(after))
            for status, answer in before["responses"].items():
                if int(status) >= 400:
                    continue
                if status not in after["responses"]:
                    yield f"{call} answers {status} no more"
                    continue
                yield from _lost_content(f"{call} {status}", (then, answer), (now, after["responses"][status]))


def _sent(operation: Schema) -> Schema:
    """All that a call takes as one object: parameters, and the body by its media types."""
    parameters = {f"{each['in']} {each['name']}": each for each in operation.get("parameters", ())}
    body = operation.get("requestBody", {})
    bodies = {f"body {kind}": content["schema"] for kind, content in body.get("content", {}).items()}
    return {
        "properties": {name: each["schema"] for name, each in parameters.items()} | bodies,
        "required": [name for name, each in parameters.items() if each.get("required")],
    }


def _lost_content(place: str, before: tuple[Schema, Schema], after: tuple[Schema, Schema]) -> Iterator[str]:
    (then, was), (now, is_) = before, after
    for kind, content in was.get("content", {}).items():
        if kind not in is_.get("content", {}):
            yield f"{place} is {kind} no more"
        else:
            pair = (content.get("schema", {}), is_["content"][kind].get("schema", {}))
            yield from _lost(place, then, now, pair, frozenset())


def _lost(place: str, then: Schema, now: Schema, pair: tuple[Schema, Schema], seen: frozenset[str]) -> Iterator[str]:
    """What an answer told and tells no more."""
    name = pair[0].get("$ref", "")
    if name in seen:
        return
    seen = seen | {name} if name else seen
    was, is_ = (_resolved(document, schema) for document, schema in zip((then, now), pair, strict=True))
    if new := _types(now, is_) - _types(then, was):
        yield f"{place} may be {', '.join(sorted(new))}"
    for field, schema in was.get("properties", {}).items():
        if field not in is_.get("properties", {}):
            yield f"{place}.{field} is gone"
            continue
        if field in was.get("required", ()) and field not in is_.get("required", ()):
            yield f"{place}.{field} may be missing"
        yield from _lost(f"{place}.{field}", then, now, (schema, is_["properties"][field]), seen)
    if "items" in was and "items" in is_:
        yield from _lost(f"{place}[]", then, now, (was["items"], is_["items"]), seen)
    for choice in _choices(was):
        same = [each for each in _choices(is_) or [is_] if _kind(each) == _kind(choice)]
        if not same and "$ref" in choice:
            yield f"{place} is never {choice['$ref'].rsplit('/', 1)[-1]}"
        for each in same[:1]:
            yield from _lost(place, then, now, (choice, each), seen)


def _refused(place: str, then: Schema, now: Schema, was: Schema, is_: Schema) -> Iterator[str]:
    """What could be sent and cannot be sent any more."""
    was, is_ = _resolved(then, was), _resolved(now, is_)
    if gone := _types(then, was) - _types(now, is_):
        yield f"{place} may not be {', '.join(sorted(gone))} any more"
    if (words := _words(is_)) and (lost := _words(was) - words):
        yield f"{place} may not say {', '.join(sorted(map(str, lost)))} any more"
    for bound, sign in BOUNDS.items():
        limit, earlier = is_.get(bound), was.get(bound)
        if limit is not None and (earlier is None or sign * limit > sign * earlier):
            yield f"{place} has a narrower {bound}: {earlier} was, {limit} is"
    for field in is_.get("required", ()):
        if field not in was.get("required", ()):
            yield f"{place}: {field} is needed now"
    for field, schema in was.get("properties", {}).items():
        if field in is_.get("properties", {}):
            yield from _refused(f"{place}: {field}", then, now, schema, is_["properties"][field])
        elif "properties" in is_:
            yield f"{place}: {field} is taken no more"


def _resolved(document: Schema, schema: Schema) -> Schema:
    """The schema that a reference leads to."""
    name = schema.get("$ref")
    return document["components"]["schemas"][name.rsplit("/", 1)[-1]] | schema if name else schema


def _choices(schema: Schema) -> list[Schema]:
    return schema.get("anyOf") or schema.get("oneOf") or []


def _types(document: Schema, schema: Schema) -> set[str]:
    """Of values; none where anything goes."""
    schema = _resolved(document, schema)
    choices = _choices(schema)
    kinds = {kind for each in choices for kind in _types(document, each)}
    return kinds if choices else {schema.get("type", "")} - {""}


def _words(schema: Schema) -> set[Any]:
    """Those that may be said; none where any may."""
    parts = schema.get("anyOf", (schema,))
    return {word for part in parts for word in part.get("enum", [part["const"]] if "const" in part else [])}


def _kind(choice: Schema) -> str:
    return str(choice.get("$ref") or choice.get("type"))


def main() -> None:
    """Keep today's document, without its examples."""
    document = today()
    del document["components"]["examples"]
    RELEASED.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
