"""Where `flow run` writes: a table that stays at the foot of a terminal, or plain lines in a pipe."""

import logging
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from threading import Lock

_UP_AND_CLEAR = "\x1b[{}F\x1b[J"


class Screen:
    """Writes to stderr, so that what units print on stdout stays clean. Safe to use from several threads."""

    def __init__(self) -> None:
        self.is_terminal = sys.stderr.isatty()
        self._height = 0
        self._table: Sequence[str] = ()
        self._lock = Lock()

    def line(self, text: str) -> None:
        """A line that stays, above the table."""
        with self._lock:
            self._write(self._erased() + text + "\n" + self._drawn())

    def table(self, lines: Sequence[str]) -> None:
        """Replaces the table. For terminals only."""
        with self._lock:
            erased = self._erased()
            self._table = lines
            self._write(erased + self._drawn())

    def _erased(self) -> str:
        return _UP_AND_CLEAR.format(self._height) if self._height else ""

    def _drawn(self) -> str:
        size = shutil.get_terminal_size()
        shown = [line[: size.columns - 1] for line in self._table[: size.lines - 1]]
        self._height = len(shown)
        return "".join(f"{line}\n" for line in shown)

    def _write(self, text: str) -> None:
        # a reader that goes away does not take the flow along
        with suppress(OSError, ValueError):
            sys.stderr.write(text)
            sys.stderr.flush()


class ScreenHandler(logging.Handler):
    """Log lines go above the table."""

    def __init__(self, screen: Screen) -> None:
        super().__init__()
        self._screen = screen

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._screen.line(self.format(record))
        except Exception:
            self.handleError(record)
