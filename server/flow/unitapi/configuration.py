"""Unit options: a flat map of strings with typed reads (spec 1.2, 5.5)."""

from collections.abc import Iterable, Mapping

from server.flow import values


def _stored(value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, int | str):
        return str(value)
    raise ValueError(
        f"invalid data type {type(value).__name__}: use str, bool, int, float or a list of one of them"
    )


class Configuration:
    """Reads never fail: a value that cannot be read as the wanted type gives the default."""

    __slots__ = ("_values",)

    def __init__(self, stored: Mapping[str, str] | None = None) -> None:
        self._values = dict(stored or {})

    def get_string(self, key: str, default: str = "") -> str:
        return values.get_string(self._values, key, default)

    def get_bool(self, key: str, default: bool = False) -> bool:
        return values.get_bool(self._values, key, default)

    def get_int(self, key: str, default: int = 0) -> int:
        return values.get_int(self._values, key, default)

    def get_float(self, key: str, default: float = 0.0) -> float:
        return values.get_float(self._values, key, default)

    def get_string_list(self, key: str, default: Iterable[str] = ()) -> list[str]:
        return values.get_string_list(self._values, key, list(default))

    def get_bool_list(self, key: str, default: Iterable[bool] = ()) -> list[bool]:
        return values.get_bool_list(self._values, key, list(default))

    def get_int_list(self, key: str, default: Iterable[int] = ()) -> list[int]:
        return values.get_int_list(self._values, key, list(default))

    def get_float_list(self, key: str, default: Iterable[float] = ()) -> list[float]:
        return values.get_float_list(self._values, key, list(default))

    def set(self, key: str, value: object) -> None:
        """Raises: ValueError, when `value` is none of str, bool, int, float or a non-empty list of these."""
        if not isinstance(value, list | tuple):
            self._values[key] = _stored(value)
            return
        if not value or len({type(item) for item in value}) > 1:
            raise ValueError(f"invalid data type for {key}: a list must have items, all of one type")
        self._values[key] = values.LIST_SEPARATOR.join(_stored(item) for item in value)

    def below(self, prefixes: Iterable[str]) -> "Configuration":
        """A new configuration of the values under `prefixes`, without these; later prefixes win."""
        found = {
            key.removeprefix(prefix): value
            for prefix in prefixes
            for key, value in self._values.items()
            if key.startswith(prefix)
        }
        return Configuration(found)
