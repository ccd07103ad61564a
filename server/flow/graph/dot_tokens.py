"""DOT text into tokens, as Graphviz' cgraph reads them (spec 2.1).

Lines and columns come from here, and so does everything that a word means: comments, quotes, escapes, string
concatenation, HTML strings, keywords in any case.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from server.flow.settings import shown
from server.flow.status import FlowError, StatusCode

KEYWORDS = frozenset({"strict", "graph", "digraph", "subgraph", "node", "edge"})

_SCAN = re.compile(
    r"""
    (?P<skip>^[ \t]*\#[^\n]* | \n+ | [ \t\r\f\v]+ | //[^\n]* | /\*.*?\*/)
  | (?P<word>[A-Za-z_\u0080-\U0010ffff][A-Za-z0-9_\u0080-\U0010ffff]*)
  | (?P<number>-?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?))
  | (?P<quoted>"(?:[^"\\]++|\\.)*+")
  | (?P<html><)
  | (?P<mark>->|--|[{}\[\]=,;:+])
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
_ANGLE = re.compile(r"[<>]")
_LINE_CONTINUATION = re.compile(r"(\\\\)|\\\r?\n")


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is `id` for any ID, a keyword in lower case, the mark itself, or `end`. `text` is an ID's value."""

    kind: str
    text: str
    offset: int


class DotText:
    """A DOT text that knows its lines. Positions count from 1."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts = [0, *(match.end() for match in re.finditer(r"\n", text))]

    def line(self, offset: int) -> int:
        return bisect_right(self._starts, offset)

    def syntax_error(self, offset: int, what: str) -> FlowError:
        line = self.line(offset)
        column = offset - self._starts[line - 1] + 1
        return FlowError(StatusCode.FAULT, f"DOT syntax error in line {line}, column {column}: {what}")

    def tokens(self) -> Iterator[Token]:
        """All tokens, the last one of kind `end`. Lazy: what follows the first graph is never looked at.

        Raises: FlowError, at a character that begins no token, or at a string or comment without an end.
        """
        offset = 1 if self.text.startswith("\ufeff") else 0
        while offset < len(self.text):
            match = _SCAN.match(self.text, offset)
            if match is None:
                raise self._no_token(offset)
            end = match.end()
            if match.lastgroup == "html":
                end = self._end_of_html(offset)
                yield Token("id", self.text[offset + 1 : end - 1], offset)
            elif match.lastgroup != "skip":
                yield _token(str(match.lastgroup), match.group(), offset)
            offset = end
        yield Token("end", "", len(self.text))

    def _end_of_html(self, start: int) -> int:
        depth = 0
        for match in _ANGLE.finditer(self.text, start):
            depth += 1 if match.group() == "<" else -1
            if depth == 0:
                return match.end()
        raise self.syntax_error(start, "the HTML string that begins here has no end: expected '>'")

    def _no_token(self, offset: int) -> FlowError:
        if self.text[offset] == '"':
            return self.syntax_error(offset, "the string that begins here has no end: expected '\"'")
        if self.text.startswith("/*", offset):
            return self.syntax_error(offset, "the comment that begins here has no end: expected '*/'")
        found = shown(self.text[offset])
        return self.syntax_error(
            offset, f"unexpected '{found}': a value that is no plain name or number must be in double quotes"
        )


def _token(group: str, text: str, offset: int) -> Token:
    if group == "mark":
        return Token(text, text, offset)
    if group == "quoted":
        return Token("quoted", _unescape(text[1:-1]), offset)
    if group == "word" and text.lower() in KEYWORDS:
        return Token(text.lower(), text, offset)
    return Token("id", text, offset)


def _unescape(text: str) -> str:
    """A quoted quote is a quote and a quoted line end is nothing; all other escapes stay as written."""
    if "\\" not in text:
        return text
    joined = _LINE_CONTINUATION.sub(lambda match: match.group(1) or "", text)
    return re.sub(r'(\\\\)|\\"', lambda match: match.group(1) or '"', joined)


def joined_strings(source: DotText) -> Iterator[Token]:
    """The tokens of `source`, with `"a" + "b"` made one, so that every string is an `id`."""
    tokens = source.tokens()
    token = next(tokens)
    while token.kind != "end":
        if token.kind != "quoted":
            yield token
            token = next(tokens)
            continue
        parts = [token.text]
        start = token.offset
        token = next(tokens)
        while token.kind == "+":
            plus = token
            token = next(tokens)
            if token.kind != "quoted":
                raise source.syntax_error(plus.offset, "expected a quoted string on both sides of '+'")
            parts.append(token.text)
            token = next(tokens)
        yield Token("id", "".join(parts), start)
    yield token


def described(token: Token) -> str:
    return "the end of the text" if token.kind == "end" else f"'{shown(token.text, 40)}'"
