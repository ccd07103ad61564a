"""A description in words, for people: what the docs page and docs/api.md have in common."""

from collections.abc import Iterator
from typing import Any

from server.api.rights import IN_DESCRIPTION

Json = dict[str, Any]
Words = Iterator[tuple[str, bool]]
"""Pieces of text; True for those that are the name of a type."""

BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "above {}",
    "exclusiveMaximum": "below {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "pattern": "matches {}",
}
FORMATS = {"date-time": "time"}


def operations_by_tag(description: Json) -> dict[str, list[tuple[str, str, Json]]]:
    """(method, path, operation) of each, in the description's order."""
    groups: dict[str, list[tuple[str, str, Json]]] = {}
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            groups.setdefault(operation["tags"][0], []).append((method, path, operation))
    return groups


def access_words(operation: Json) -> str:
    """Who may use it."""
    schemes = [scheme for scheme in operation["security"] if scheme]
    if not schemes:
        return "Open to everybody."
    (role,) = {role for scheme in schemes for roles in scheme.values() for role in roles}
    return f"Role: `{role}`. With a label scope: {operation[IN_DESCRIPTION]}."


def anchor(method: str, path: str) -> str:
    words = "".join(char if char.isalnum() else " " for char in path).split()
    return "-".join((method, *words))


def schema_words(schema: Json) -> Words:
    """What a value may be, such as: list of Entry; integer, at least 1, default 100."""
    if "$ref" in schema:
        yield schema["$ref"].rpartition("/")[2], True
    elif "anyOf" in schema:
        for n, one in enumerate(schema["anyOf"]):
            yield (" or " if n else ""), False
            yield from schema_words(one)
    elif "enum" in schema:
        yield " | ".join(str(one) for one in schema["enum"]), False
    elif schema.get("type") == "array":
        yield "list of ", False
        yield from schema_words(schema.get("items") or {})
    elif isinstance(schema.get("additionalProperties"), dict) and schema["additionalProperties"]:
        yield "object of ", False
        yield from schema_words(schema["additionalProperties"])
    else:
        yield FORMATS.get(schema.get("format", ""), str(schema.get("type", "anything"))), False
    for key, words in BOUNDS.items():
        if key in schema:
            yield f", {words.format(schema[key])}", False
    if schema.get("default") not in (None, "", [], {}):
        default = schema["default"]
        yield f", default {str(default).lower() if isinstance(default, bool) else default}", False
