"""Query parameters as a struct, checked by its types: what is unknown, given twice or bad is refused by name."""

import re
from datetime import datetime
from functools import cache
from typing import Annotated, Any, TypeVar, get_args, get_origin

import msgspec
from sanic import Request

from server.jobs.errors import InvalidCommand, Place

T = TypeVar("T", bound=msgspec.Struct)

_NUMBER = re.compile(r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?")


class NoParameters(msgspec.Struct, frozen=True):
    pass


class InvalidParameter(InvalidCommand):
    def __init__(self, name: str, reason: str, kind: str = "query parameter") -> None:
        super().__init__(f"{kind} '{name}': {reason}", Place(field=name))


def query_of(request: Request, kind: type[T], *, ignore_unknown: bool = False) -> T:
    """A field whose type is a tuple takes its parameter more than once, and each value may be a list with commas.

    Raises: InvalidParameter.
    """
    takes_many = _fields_of(kind)
    given: dict[str, str | list[str]] = {}
    for name, value in request.get_query_args(keep_blank_values=True):
        if name not in takes_many and ignore_unknown:
            continue
        if name not in takes_many:
            known = ", ".join(takes_many) or "none"
            raise InvalidParameter(_shown(name), f"there is no such parameter here; there are: {known}")
        if takes_many[name]:
            many = given.setdefault(name, [])
            assert isinstance(many, list)
            many += value.split(",")
        elif name in given:
            raise InvalidParameter(name, "given twice")
        elif _NUMBER.fullmatch(value) and _is_moment(kind, name):  # msgspec would take seconds since 1970
            raise InvalidParameter(name, "must be a time such as 2026-01-31T12:00:00Z")
        else:
            given[name] = value
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        name = where.rstrip("`").partition("[")[0]
        raise InvalidParameter(name, f"{what[0].lower()}{what[1:].replace('`', '')}") from error


@cache
def _fields_of(kind: type[msgspec.Struct]) -> dict[str, bool]:
    """The names of the parameters, and whether each may have several values."""
    return {field.encode_name: _takes_many(field.type) for field in msgspec.structs.fields(kind)}


@cache
def _is_moment(kind: type[msgspec.Struct], name: str) -> bool:
    (found,) = [field.type for field in msgspec.structs.fields(kind) if field.encode_name == name]
    return datetime in _parts_of(found)


def _parts_of(kind: Any) -> set[Any]:
    """The types of a union, annotated or not."""
    if get_origin(kind) is Annotated:
        return _parts_of(get_args(kind)[0])
    parts = get_args(kind)
    return {kind}.union(*map(_parts_of, parts))


def _takes_many(kind: Any) -> bool:
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return get_origin(kind) is tuple


def _shown(name: str) -> str:
    return name if len(name) <= 64 else f"{name[:64]}…"
