"""DOT attribute values into stored strings: lists split at commas and joined by 0x03 (spec 2.1)."""

import re
from collections.abc import Iterator

from server.flow.values import LIST_SEPARATOR

_PROTECTED = ",'\"\\"
_PART = re.compile(
    r"""\\(?P<escaped>[,'"\\]) | '(?P<single>[^']*)' | "(?P<double>[^"]*)"
      | (?P<comma>,) | (?P<plain>[^,'"\\]+|.)""",
    re.VERBOSE | re.DOTALL,
)


def stored_attributes(attributes: dict[str, str]) -> dict[str, str]:
    """An attribute with an empty value is as if absent."""
    stored = {key: stored_value(value) for key, value in attributes.items()}
    return {key: value for key, value in stored.items() if value}


def stored_value(value: str) -> str:
    """Split at commas outside quotes, blanks around pieces removed, empty pieces dropped, joined by 0x03.

    Inner quotes and a backslash before a comma, a quote or a backslash protect what they enclose, and are removed.
    A backslash before anything else is text, and so is a quote without a partner.
    """
    if not any(mark in value for mark in _PROTECTED):
        return value.strip()
    return LIST_SEPARATOR.join(piece for piece in _pieces(value) if piece)


def _pieces(value: str) -> Iterator[str]:
    text = ""
    protected = 0  # up to here, blanks at the end of the text belong to it
    for match in _PART.finditer(value):
        kind = match.lastgroup
        if kind == "comma":
            yield _trimmed(text, protected)
            text, protected = "", 0
        elif kind == "plain":
            part = match.group()
            text += part if text or protected else part.lstrip()
        else:
            text += match.group(str(kind))
            protected = len(text)
    yield _trimmed(text, protected)


def _trimmed(text: str, protected: int) -> str:
    return text[:protected] + text[protected:].rstrip()
