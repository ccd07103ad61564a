"""Typed reads from a flat `key -> string` map: the rules of spec 1.2, in one place.

Graph files, unit descriptions and node attributes all keep their values as strings, so all of them read
through here. A list is its elements joined by `LIST_SEPARATOR`. A value that does not convert gives the default.
"""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

LIST_SEPARATOR = "\x03"
INT32 = (-(2**31), 2**31 - 1)
INT64 = (-(2**63), 2**63 - 1)
UINT32 = (0, 2**32 - 1)

_BOOLS = {"true": True, "1": True, "false": False, "0": False}
_INTEGER = re.compile(r"[ \t\n\v\f\r]*[+-]?[0-9]{1,20}", re.ASCII)
_FLOAT = re.compile(
    r"[ \t\n\v\f\r]*[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf(?:inity)?|nan)",
    re.ASCII | re.IGNORECASE,
)
_log = logging.getLogger(__name__)

T = TypeVar("T")


def parse_bool(text: str) -> bool | None:
    """Exactly `true`, `1`, `false` or `0`; None for anything else."""
    return _BOOLS.get(text)


def parse_int(text: str, limits: tuple[int, int] = INT64) -> int | None:
    """A decimal number that takes the whole text (leading blanks aside) and is within `limits`, else None."""
    if _INTEGER.fullmatch(text) is None:
        return None
    number = int(text)
    return number if limits[0] <= number <= limits[1] else None


def parse_float(text: str) -> float | None:
    if _FLOAT.fullmatch(text) is None:
        return None
    return float(text)


def split_list(text: str) -> list[str]:
    """The elements of a stored value: none of an empty one, one of a scalar."""
    return text.split(LIST_SEPARATOR) if text else []


def get_string(values: Mapping[str, str], key: str, default: str = "") -> str:
    return values.get(key, default)


def get_bool(values: Mapping[str, str], key: str, default: bool = False) -> bool:
    text = values.get(key)
    if text is None:
        return default
    parsed = parse_bool(text)
    if parsed is None:
        _log.error("Convert [%s : %s] to bool failed, invalid", key, text)
        return default
    return parsed


def get_int(values: Mapping[str, str], key: str, default: int = 0, limits: tuple[int, int] = INT64) -> int:
    parsed = parse_int(values.get(key, ""), limits)
    return default if parsed is None else parsed


def get_float(values: Mapping[str, str], key: str, default: float = 0.0) -> float:
    parsed = parse_float(values.get(key, ""))
    return default if parsed is None else parsed


def get_string_list(values: Mapping[str, str], key: str, default: Sequence[str] = ()) -> list[str]:
    text = values.get(key)
    return list(default) if text is None else split_list(text)


def get_bool_list(values: Mapping[str, str], key: str, default: Sequence[bool] = ()) -> list[bool]:
    return _get_list(values, key, default, parse_bool)


def get_int_list(values: Mapping[str, str], key: str, default: Sequence[int] = ()) -> list[int]:
    return _get_list(values, key, default, parse_int)


def get_float_list(values: Mapping[str, str], key: str, default: Sequence[float] = ()) -> list[float]:
    return _get_list(values, key, default, parse_float)


def _get_list(
    values: Mapping[str, str], key: str, default: Sequence[T], parse: Callable[[str], T | None]
) -> list[T]:
    """One bad element spoils the whole list (spec 1.2)."""
    text = values.get(key)
    if text is None:
        return list(default)
    found: list[T] = []
    for element in split_list(text):
        parsed = parse(element)
        if parsed is None:
            return list(default)
        found.append(parsed)
    return found
