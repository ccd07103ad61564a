"""What a line of a flow's log looks like, for who writes them and who reads them again.

    2026-11-25T03:15:04.123Z INFO [detect] detect.py:31 process: 3 faces
    2026-11-25T03:15:04.130Z WARN engine: the flow did not stop within 5 seconds

Further lines of the same message begin with a tab. Whatever units and libraries print stands between such lines as
it was printed.
"""

import logging
import re
import sys
import time
from collections.abc import Callable
from contextvars import ContextVar

from server.flow.mask import Mask

SPEAKER: ContextVar[Callable[[], str]] = ContextVar("speaker", default=str)
"""The name of the node whose unit is being called in this thread now; empty when none is."""

ENTRY = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) "
    r"(?P<level>DEBUG|INFO|NOTICE|WARN|ERROR|FATAL) "
    r"(?:\[(?P<node>[^\]]*)\] )?"
)
"""What an entry begins with."""

_LEVELS = {logging.WARNING: "WARN", logging.CRITICAL: "FATAL"}


def log_line(level: str, node: str, text: str, now: float | None = None) -> str:
    """With its newline, and with secrets masked. `now`: seconds since 1970."""
    text = Mask.of_process()(text)
    now = time.time() if now is None else now
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
    speaker = f"[{node}] " if node else ""
    if "\n" in text:
        text = text.replace("\n", "\n\t")
    return f"{stamp}.{int(now * 1000) % 1000:03d}Z {level} {speaker}{text}\n"


class LineFormatter(logging.Formatter):
    """Python's own logging in the same form."""

    def format(self, record: logging.LogRecord) -> str:
        text = f"{record.name}: {record.getMessage()}"
        if record.exc_info:
            text = f"{text}\n{self.formatException(record.exc_info)}"
        level = _LEVELS.get(record.levelno, record.levelname)
        return log_line(level, SPEAKER.get()(), text, record.created)[:-1]


def log_to_stderr() -> None:
    """Has Python's own logging write such lines to what `sys.stderr` is now."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
