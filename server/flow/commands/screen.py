"""Where `flow run` writes: a table that stays at the foot of a terminal, or plain lines in a pipe."""

import io
import logging
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from threading import Lock
from typing import TextIO, cast

_UP_AND_CLEAR = "\x1b[{}F\x1b[J"


class Screen:
    """Writes to stderr, so that what units print on stdout stays clean. Safe to use from several threads."""

    def __init__(self) -> None:
        self._out = sys.stderr
        self.is_terminal = self._out.isatty()
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
            self._out.write(text)
            self._out.flush()


class ScreenLines(io.TextIOBase):
    """Takes the place of stdout or stderr while the table is on the same terminal: whole lines go above it."""

    def __init__(self, screen: Screen) -> None:
        super().__init__()
        self._screen = screen
        self._begun = ""
        self._lock = Lock()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        with self._lock:
            *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self._screen.line(line)
        return len(text)


@contextmanager
def prints_above(screen: Screen) -> Iterator[None]:
    """Whatever is printed meanwhile does not tear the table. What is no terminal is left alone."""
    with ExitStack() as stack:
        if screen.is_terminal:
            stack.enter_context(redirect_stderr(cast(TextIO, ScreenLines(screen))))
            if sys.stdout.isatty():
                stack.enter_context(redirect_stdout(cast(TextIO, ScreenLines(screen))))
        yield


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
