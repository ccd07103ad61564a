"""Which values of units are kept by value, and which by reference (spec 5.7, 5.10)."""

from typing import Any

_PLAIN = (str, int, float)
"""bool is an int, and element types are."""


def kept(value: object) -> Any:
    """What is stored of `value`: lists of texts or numbers, and lists of these, are copied; arrays, `bytes` and
    the like become new numpy arrays; anything else is kept by reference."""
    if isinstance(value, _PLAIN):
        return value
    if type(value) is list:
        return _copy(value) if _is_plain(value) else value
    view = view_of(value)
    if view is None or not view.ndim:
        return value
    import numpy as np

    return np.array(view)


def given(value: Any) -> Any:
    """What a reader gets: copies of the lists that `kept` copies."""
    return _copy(value) if type(value) is list and _is_plain(value) else value


def view_of(value: object) -> memoryview | None:
    try:
        return memoryview(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def _is_plain(items: list[Any]) -> bool:
    """The first element decides, as in ModelBox. An empty list is no list of anything."""
    if not items:
        return False
    first = items[0]
    if type(first) is list:
        return bool(first) and isinstance(first[0], _PLAIN)
    return isinstance(first, _PLAIN)


def _copy(items: list[Any]) -> list[Any]:
    return [list(item) if type(item) is list else item for item in items]
