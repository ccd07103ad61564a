"""Unit options: a flat map of strings with typed reads (spec 1.2, 5.5)."""

from collections.abc import Iterable, Mapping
from operator import index
from typing import TypeVar

from server.flow import values

T = TypeVar("T")


def _stored(key: str, value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, str):
        return value
    try:
        return str(index(value))  # type: ignore[arg-type]  # numpy's integers too
    except TypeError:
        kind = type(value).__name__
    raise ValueError(
        f"invalid data type {kind} for key '{key}': use str, bool, int, float or a list of one of them"
    )


class Configuration:
    """Reads never fail for what is stored: a value that cannot be read as the wanted type gives the default. A
    default of another type than the one read raises TypeError."""

    __slots__ = ("_values",)

    def __init__(self, stored: Mapping[str, str] | None = None) -> None:
        self._values = dict(stored or {})

    def get_string(self, key: str, default: str = "") -> str:
        return values.get_string(self._values, key, _checked(default, str))

    def get_bool(self, key: str, default: bool = False) -> bool:
        return values.get_bool(self._values, key, _checked(default, bool))

    def get_int(self, key: str, default: int = 0) -> int:
        return values.get_int(self._values, key, _checked(default, int))

    def get_float(self, key: str, default: float = 0.0) -> float:
        return values.get_float(self._values, key, float(_checked(default, float, int)))

    def get_string_list(self, key: str, default: Iterable[str] = ()) -> list[str]:
        return values.get_string_list(self._values, key, _checked_list(default, str))

    def get_bool_list(self, key: str, default: Iterable[bool] = ()) -> list[bool]:
        return values.get_bool_list(self._values, key, _checked_list(default, bool))

    def get_int_list(self, key: str, default: Iterable[int] = ()) -> list[int]:
        return values.get_int_list(self._values, key, _checked_list(default, int))

    def get_float_list(self, key: str, default: Iterable[float] = ()) -> list[float]:
        return values.get_float_list(self._values, key, _checked_list(default, float, int))

    def set(self, key: str, value: object) -> None:
        """Raises: ValueError, when `value` is none of str, bool, int, float or a non-empty list of these."""
        if not isinstance(value, list | tuple):
            self._values[key] = _stored(key, value)
            return
        if not value or len({type(item) for item in value}) > 1:
            raise ValueError(f"invalid data type for key '{key}': a list must have items, all of one type")
        self._values[key] = values.LIST_SEPARATOR.join(_stored(key, item) for item in value)

    def below(self, prefixes: Iterable[str]) -> "Configuration":
        """A new configuration of the values under `prefixes`, without these; later prefixes win."""
        found = {
            key.removeprefix(prefix): value
            for prefix in prefixes
            for key, value in self._values.items()
            if key.startswith(prefix)
        }
        return Configuration(found)


def _checked(default: T, *kinds: type) -> T:
    if not isinstance(default, kinds):
        names = " or ".join(kind.__name__ for kind in kinds)
        raise TypeError(f"a default of type {type(default).__name__} is given where {names} is read")
    return default


def _checked_list(default: Iterable[T], *kinds: type) -> list[T]:
    if isinstance(default, str):
        raise TypeError("a default of type str is given where a list is read")
    return [_checked(item, *kinds) for item in default]
