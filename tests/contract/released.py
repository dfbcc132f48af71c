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
Part = tuple[Schema, Schema]
"""Something of a document: the document, and the schema, message or operation."""

RELEASED = Path(__file__).parents[2] / "docs/openapi.json"
BOUNDS = {
    "maxLength": -1, "maximum": -1, "exclusiveMaximum": -1, "maxItems": -1,
    "minLength": 1, "minimum": 1, "exclusiveMinimum": 1, "minItems": 1,
}  # fmt: skip
"""The greater it may be (-1: the less), the fewer values are let in."""
FORMS = ("pattern", "format", "multipleOf")
"""Of two of these nothing here can tell which lets in more: somebody has to look."""


def today() -> Schema:
    """The document as the code tells it now."""
    settings = Settings(_env_file=None, redis_url="redis://nowhere", bundles_dir=BUNDLES, bundle="mini")
    return create_app(settings).openapi()


def broken(then: Schema, now: Schema) -> Iterator[str]:
    """What a client or a webhook's receiver of the earlier document can no longer rely on.

    Calls, answers and their fields may come, none may go, nor may a word that is told; what may be sent may grow, not
    shrink. A new word in an answer breaks nothing: clients pass over words that they do not know.
    """
    for path, operations in then["paths"].items():
        for method, before in operations.items():
            call = f"{method.upper()} {path}"
            if after := now["paths"].get(path, {}).get(method):
                yield from _broken_call(call, (then, before), (now, after))
            else:
                yield f"{call} is gone"
    for event, operations in then["webhooks"].items():
        if after := now.get("webhooks", {}).get(event, {}).get("post"):
            yield from _broken_webhook(f"webhook {event}", (then, operations["post"]), (now, after))
        else:
            yield f"webhook {event} is gone"


def _broken_call(call: str, before: Part, after: Part) -> Iterator[str]:
    (then, was), (now, is_) = before, after
    yield from _refused(call, (then, _sent(was)), (now, _sent(is_)))
    for key in _keys(*before):
        if _keys(*after) != [{}] and not any(_opens(key, each) for each in _keys(*after)):
            yield f"{call} is not open to {key or 'everybody'} any more"
    for status, answer in was["responses"].items():
        if status in is_["responses"]:
            yield from _lost_message(f"{call} {status}", (then, answer), (now, is_["responses"][status]))
        else:
            yield f"{call} answers {status} no more"


def _broken_webhook(call: str, before: Part, after: Part) -> Iterator[str]:
    """The other way round: we send the body, the receiver answers."""
    (then, was), (now, is_) = before, after
    yield from _lost_message(call, (then, was["requestBody"]), (now, is_.get("requestBody", {})))
    for status, answer in was["responses"].items():
        taken = is_["responses"].get(status, {})
        yield from _refused(f"{call}: {status}", (then, _bodies(answer)), (now, _bodies(taken)))


def _keys(document: Schema, operation: Schema) -> list[dict[str, list[str]]]:
    """Each of which opens a call: scopes by kind of key. {} is none, where the operator made none."""
    return operation.get("security", document.get("security")) or [{}]


def _opens(key: dict[str, list[str]], asked: dict[str, list[str]]) -> bool:
    return key.keys() == asked.keys() and all(set(scopes) <= set(key[kind]) for kind, scopes in asked.items())


def _sent(operation: Schema) -> Schema:
    """All that a call takes as one object: parameters, and the body by its media types."""
    parameters = {f"{each['in']} {each['name']}": each for each in operation.get("parameters", ())}
    body = operation.get("requestBody", {})
    needed = [name for name, each in parameters.items() if each.get("required")]
    fields = {name: each["schema"] for name, each in parameters.items()} | _bodies(body)["properties"]
    return {"properties": fields, "required": needed + ["body"] * body.get("required", False)}


def _bodies(message: Schema) -> Schema:
    """What a message holds, by its media types, as one object."""
    return {"properties": {f"body {kind}": each["schema"] for kind, each in message.get("content", {}).items()}}


def _lost_message(place: str, before: Part, after: Part) -> Iterator[str]:
    """What an answer or a webhook told and tells no more: headers, media types, fields, codes of problems."""
    (then, was), (now, is_) = before, after
    yield from _lost(place, (then, _headers(*before)), (now, _headers(*after)))
    for kind, content in was.get("content", {}).items():
        if kind not in is_.get("content", {}):
            yield f"{place} is {kind} no more"
            continue
        other = is_["content"][kind]
        if kind == "application/problem+json":
            for code in sorted(content.get("examples", {}).keys() - other.get("examples", {}).keys()):
                yield f"{place} is never {code}"
        for schema in ("schema", "itemSchema"):
            if schema in content and schema not in other:
                yield f"{place} has no {schema} any more"
            elif schema in content:
                yield from _lost(place, (then, content[schema]), (now, other[schema]))


def _headers(document: Schema, message: Schema) -> Schema:
    """As one object."""
    headers = {name: _resolved(document, each) for name, each in message.get("headers", {}).items()}
    return {"properties": {name: each.get("schema", {}) for name, each in headers.items()}}


def _lost(place: str, before: Part, after: Part, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """What an answer told and tells no more."""
    name = before[1].get("$ref", "")
    if name in seen:
        return
    seen = seen | {name} if name else seen
    (then, was), (now, is_) = ((document, _resolved(document, schema)) for document, schema in (before, after))
    if new := _beyond(_types(now, is_), _types(then, was)):
        yield f"{place} may be {', '.join(new)}"
    if never := _words(is_) and _words(was) - _words(is_):
        yield f"{place} is never {', '.join(sorted(map(str, never)))}"
    for form in FORMS:
        if was.get(form) not in (None, is_.get(form)):
            yield f"{place} has another {form}: {was[form]} was, {is_.get(form)} is"
    for choice, same in _pairs(was, is_):
        if same:
            yield from _lost(place, (then, choice), (now, same), seen)
        elif "$ref" in choice or "properties" in choice:
            yield f"{place} is never {_kind(choice)}"
    if not _choices(is_):
        yield from _lost_parts(place, (then, was), (now, is_), seen)


def _lost_parts(place: str, before: Part, after: Part, seen: frozenset[str]) -> Iterator[str]:
    (then, was), (now, is_) = before, after
    parts = _parts(is_, ".")
    for part, schema in _parts(was, ".").items():
        if part in parts:
            yield from _lost(f"{place}{part}", (then, schema), (now, parts[part]), seen)
        else:
            yield f"{place}{part} is gone"
    for field in was.get("required", ()):
        if field in is_.get("properties", {}) and field not in is_.get("required", ()):
            yield f"{place}.{field} may be missing"


def _refused(place: str, before: Part, after: Part) -> Iterator[str]:
    """What could be sent and cannot be sent any more."""
    (then, was), (now, is_) = ((document, _resolved(document, schema)) for document, schema in (before, after))
    if gone := _beyond(_types(then, was), _types(now, is_)):
        yield f"{place} may not be {', '.join(gone)} any more"
    if unsaid := _beyond(_words(was), _words(is_)):
        yield f"{place} may not say {', '.join(unsaid)} any more"
    yield from _narrowed(place, was, is_)
    yield from _refused_parts(place, (then, was), (now, is_))
    for choice, same in _pairs(was, is_):
        if same:
            yield from _refused(place, (then, choice), (now, same))
        elif "$ref" in choice or "properties" in choice:
            yield f"{place} may not be {_kind(choice)} any more"


def _refused_parts(place: str, before: Part, after: Part) -> Iterator[str]:
    (then, was), (now, is_) = before, after
    for field in is_.get("required", ()):
        if field not in was.get("required", ()):
            yield f"{place}: {field} is needed now"
    parts = _parts(is_, ": ")
    for part, schema in _parts(was, ": ").items():
        if part in parts:
            yield from _refused(f"{place}{part}", (then, schema), (now, parts[part]))
        elif "properties" in is_:
            yield f"{place}{part} is taken no more"


def _narrowed(place: str, was: Schema, is_: Schema) -> Iterator[str]:
    for bound, sign in BOUNDS.items():
        limit, earlier = is_.get(bound), was.get(bound)
        if limit is not None and (earlier is None or sign * limit > sign * earlier):
            yield f"{place} has a narrower {bound}: {earlier} was, {limit} is"
    for form in FORMS:
        if is_.get(form) not in (None, was.get(form)):
            yield f"{place} has another {form}: {was.get(form)} was, {is_[form]} is"


def _beyond(values: set[Any], limits: set[Any]) -> list[str]:
    """The values outside the limits, where an empty set stands for anything."""
    outside = values - limits if values else {"anything"}
    return sorted(map(str, outside)) if limits else []


def _resolved(document: Schema, schema: Schema) -> Schema:
    """The schema, or the header, that a reference leads to."""
    if "$ref" not in schema:
        return schema
    section, name = schema["$ref"].split("/")[-2:]
    found: Schema = document["components"][section][name]
    return found | schema


def _parts(schema: Schema, joint: str) -> Schema:
    """The schemas of what it is made of, by where that is. joint: stands before the name of a field."""
    inner = {"[]": schema.get("items"), f"{joint}*": schema.get("additionalProperties")}
    inner[" content"] = schema.get("contentSchema")
    inner |= {f"[{index}]": each for index, each in enumerate(schema.get("prefixItems", ()))}
    inner |= {f"{joint}{name}": each for name, each in schema.get("properties", {}).items()}
    return {place: each for place, each in inner.items() if isinstance(each, dict)}


def _pairs(was: Schema, is_: Schema) -> Iterator[tuple[Schema, Schema | None]]:
    """Where there are choices: each earlier one, with the next of the same kind if there is one."""
    left = _choices(is_) or [is_]
    for choice in _choices(was) or [was] * bool(_choices(is_)):
        same = next((each for each in left if _kind(each) == _kind(choice)), None)
        left = [each for each in left if each is not same]
        yield choice, same


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
    """The name of its schema, else its type."""
    return str(choice.get("$ref") or choice.get("type")).rsplit("/", 1)[-1]


def main() -> None:
    """Keep today's document, without its examples."""
    document = today()
    del document["components"]["examples"]
    RELEASED.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
