"""Graph files and unit descriptions: TOML or JSON text into a flat `dotted.key -> string` map (spec 1.1, 1.2)."""

import json
import re
from datetime import date, datetime, time
from itertools import islice
from typing import NoReturn

import tomli

from server.flow.status import FlowError, StatusCode
from server.flow.values import LIST_SEPARATOR

MAX_DEPTH = 64
"""Tables within tables. Deeper ones are refused: joined keys grow with the square of the depth."""

_TOO_MANY_DIGITS = "a number has too many digits"


def detect_format(name: str, text: str) -> str:
    """`json` or `toml`, by the extension of `name`, else by the first non-blank character (spec 1.1)."""
    extension = name.rpartition(".")[2] if "." in name else ""
    if extension in ("json", "toml"):
        return extension
    return "json" if text.lstrip("\ufeff \t\r\n").startswith("{") else "toml"


def load_settings(text: str, format: str = "auto") -> dict[str, str]:
    """The flat map of a graph file. `format`: auto, json or toml. A text that begins with a brace is JSON whatever
    `format` says: no TOML does, and ModelBox asks for nothing else of a graph that is no file (spec 1.1).

    Raises: FlowError, when the text is malformed (with line and column), nested deeper than MAX_DEPTH, or holds
    an array of anything but strings.
    """
    if not text.strip():
        raise FlowError(StatusCode.NOTSUPPORT, "unknown file format", "the graph text is empty")
    chosen = detect_format("", text) if format in ("auto", "toml") else format
    if chosen == "json":
        return load_json(text)
    if chosen == "toml":
        return load_toml(text)
    raise FlowError(StatusCode.NOTSUPPORT, "unknown file format", f"'{shown(format)}' is neither json nor toml")


def load_toml(text: str) -> dict[str, str]:
    """Raises: FlowError, as load_settings."""
    try:
        table = tomli.loads(text.removeprefix("\ufeff"))
    except RecursionError:
        raise _malformed_toml("the text is nested too deep") from None
    except tomli.TOMLDecodeError as error:
        end = f"(at line {len(text.rstrip().splitlines())}, the end of the document)"
        raise _malformed_toml(str(error).replace("(at end of document)", end)) from None
    except ValueError:
        raise _malformed_toml(_TOO_MANY_DIGITS) from None
    try:
        return _flatten(table)
    except _Unusable as error:
        raise _malformed_toml(f"{error}{_line_of(error.key, text, '=')}") from None


def load_json(text: str) -> dict[str, str]:
    """Raises: FlowError, as load_settings."""
    try:
        table = json.loads(text.removeprefix("\ufeff"), parse_constant=_refuse_constant)
    except RecursionError:
        raise _malformed_json("the text is nested too deep") from None
    except json.JSONDecodeError as error:
        raise _malformed_json(f"{error.msg} (at line {error.lineno}, column {error.colno})") from None
    except _Unusable as error:
        raise _malformed_json(str(error)) from None
    except ValueError:
        raise _malformed_json(_TOO_MANY_DIGITS) from None
    if not isinstance(table, dict):
        raise _malformed_json("the text is no object")
    try:
        return _flatten(table)
    except _Unusable as error:
        raise _malformed_json(f"{error}{_line_of(error.key, text, ':')}") from None


def shown(text: str, limit: int = 200) -> str:
    """`text` as error messages quote it: of bounded length, on one line, without control characters."""
    cut = text if len(text) <= limit else text[: limit - 3] + "..."
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)


class _Unusable(Exception):
    """The text is well formed, but its values cannot be settings. `key`: whose value it is, as far as known."""

    def __init__(self, words: str, key: str = "") -> None:
        super().__init__(words)
        self.key = key


def _line_of(key: str, text: str, mark: str) -> str:
    """Where a key's value is, for a message: parsers do not tell, so only a name that occurs once is found."""
    name = key.rpartition(".")[2]
    if not name or "\n" not in text:
        return ""
    found = list(islice(re.finditer(rf"(?<![\w-]){re.escape(name)}[\"']?[ \t]*{mark}", text), 2))
    return f" (line {text.count(chr(10), 0, found[0].start()) + 1})" if len(found) == 1 else ""


def _flatten(table: dict[str, object]) -> dict[str, str]:
    flat: dict[str, str] = {}
    waiting: list[tuple[str, int, object]] = [("", 0, table)]
    while waiting:
        key, depth, value = waiting.pop()
        if isinstance(value, dict):
            if depth >= MAX_DEPTH:
                raise _Unusable(f"tables are nested more than {MAX_DEPTH} deep")
            prefix = f"{key}." if depth else ""
            inner = [(f"{prefix}{name}", depth + 1, item) for name, item in value.items()]
            waiting.extend(reversed(inner))
        elif value is not None:
            flat[_clean(key, key)] = _clean(_stored(key, value), key)
    return flat


def _stored(key: str, value: object) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return _number(value)
        case datetime() | date() | time():
            return value.isoformat().replace("+00:00", "Z")
        case list():
            return LIST_SEPARATOR.join(_string(key, position, item) for position, item in enumerate(value))
    raise _Unusable(f"key '{shown(key)}' has a value of type {type(value).__name__}", key)


def _number(value: int | float) -> str:
    try:
        return str(value)
    except ValueError:
        raise _Unusable(_TOO_MANY_DIGITS) from None


def _string(key: str, position: int, item: object) -> str:
    if isinstance(item, str):
        return item
    kind = "null" if item is None else type(item).__name__
    raise _Unusable(
        f"array '{shown(key)}' may hold strings only, but element {position + 1} is of type {kind}: "
        "write numbers and booleans in quotes",
        key,
    )


def _clean(text: str, key: str) -> str:
    """Refuses what no database and no UTF-8 encoder takes: NUL and lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _Unusable(f"key '{shown(key)}' holds a lone surrogate, which is no text") from None
    if "\0" in text:
        raise _Unusable(f"key '{shown(key)}' holds a NUL character")
    return text


def _refuse_constant(name: str) -> NoReturn:
    raise _Unusable(f"{name} is no JSON number")


def _malformed_toml(detail: str) -> FlowError:
    return FlowError(StatusCode.FAULT, f"Load config file failed, detail: {shown(detail, 1000)}")


def _malformed_json(detail: str) -> FlowError:
    return FlowError(StatusCode.BADCONF, "invalid graph", shown(detail, 1000))
