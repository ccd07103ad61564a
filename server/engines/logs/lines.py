"""From the bytes of a log to lines that anybody can be shown."""

import re
from datetime import UTC, datetime

import msgspec

from server.flow.log_lines import ENTRY
from server.wire.logs import Level

MOST_BYTES = 16 * 1024
"""Of a line that are shown."""
CUT = " [the line goes on]"

_COLOUR = re.compile("\x1b\\[[0-9;]*m")
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_TRACEBACK = "Traceback (most recent call last):"
_CHAINED = ("During handling of the above exception", "The above exception was the direct cause")


WEIGHT = {level: weight for weight, level in enumerate(Level)}


class Raw(msgspec.Struct, frozen=True, gc=False):
    """A line as it was written, where it begins in its file, and where one has to go on behind it."""

    offset: int
    end: int
    data: bytes
    is_cut: bool = False

    @property
    def text(self) -> str:
        """Without what would do something to a terminal; what is no UTF-8 is shown as \\xNN."""
        text = self.data.decode("utf-8", "backslashreplace")
        if "\x1b" in text:
            text = _COLOUR.sub("", text)
        if not text.isprintable():
            text = _CONTROL.sub(_escaped, text)
        return text + CUT if self.is_cut else text


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


class Splitter:
    """Cuts a file that comes in pieces into lines. Holds no more than MOST_BYTES of them."""

    def __init__(self, offset: int = 0) -> None:
        """`offset` of the first piece."""
        self.offset = offset
        self._begun = b""
        self._began = offset
        self._skips = False

    def feed(self, data: bytes) -> list[Raw]:
        *whole, rest = data.split(b"\n")
        lines: list[Raw] = []
        for piece in whole:
            end = self.offset + len(piece) + 1
            self._end_line(piece, end, lines)
            self.offset = self._began = end
        self._go_on(rest, lines)
        self.offset += len(rest)
        return lines

    def flush(self) -> list[Raw]:
        """What was begun: nothing more will come."""
        lines: list[Raw] = []
        if self._begun:
            self._end_line(b"", self.offset, lines)
        self._skips = False
        self._began = self.offset
        return lines

    def next_file(self) -> None:
        """What follows is the beginning of another file, which goes on where this one ends."""
        self.offset = self._began = 0

    def _end_line(self, piece: bytes, end: int, lines: list[Raw]) -> None:
        if self._skips:
            self._skips = False
            return
        data, self._begun = self._begun + piece[: MOST_BYTES + 1], b""
        # a progress bar writes over itself: each state of it is a line
        for part in data.rstrip(b"\r").split(b"\r"):
            lines.append(Raw(self._began, end, part[:MOST_BYTES], len(part) > MOST_BYTES))

    def _go_on(self, rest: bytes, lines: list[Raw]) -> None:
        if self._skips or not rest:
            return
        taken = rest[: MOST_BYTES + 1 - len(self._begun)]
        self._begun += taken
        if len(self._begun) > MOST_BYTES:
            end = self.offset + len(taken) - 1
            lines.append(Raw(self._began, end, self._begun[:MOST_BYTES], is_cut=True))
            self._begun, self._skips = b"", True


class Line(msgspec.Struct, frozen=True, gc=False):
    """`time`, `level` and `node` of a printed line are None where nothing tells; a line that belongs to the entry
    before it has those of the entry."""

    text: str
    time: datetime | None
    level: Level | None
    node: str | None


class Parser:
    """Reads what lines say about themselves; lines of one attempt, in order."""

    def __init__(self) -> None:
        self._entry: tuple[datetime, Level, str | None] | None = None
        self._in_traceback = False

    def parse(self, text: str) -> Line:
        match = ENTRY.match(text)
        if match is not None:
            time = datetime.fromisoformat(match["time"])
            self._entry = time, Level[match["level"]], match["node"]
            self._in_traceback = False
            return Line(text[match.end() :], *self._entry)
        return self._without_head(text)

    def _without_head(self, text: str) -> Line:
        if text.startswith(_TRACEBACK):
            self._in_traceback = True
        elif self._in_traceback and text and not text[0].isspace() and not text.startswith(_CHAINED):
            self._in_traceback = False
            return Line(text, None, Level.ERROR, None)
        if self._in_traceback:
            self._entry = None
            return Line(text, None, Level.ERROR, None)
        if text.startswith("\t") and self._entry is not None:
            return Line(text[1:], *self._entry)
        self._entry = None
        return Line(text, None, None, None)


def as_time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
