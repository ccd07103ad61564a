"""What every process of an installation has in common: a name in `ps`, log lines, and an end with its parent."""

import ctypes
import logging
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TextIO, cast

import setproctitle
import structlog

_PR_SET_PDEATHSIG = 1


class _Lines:
    """stderr, whose reader may go away without taking the process along."""

    def write(self, text: str) -> None:
        with suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            sys.stderr.flush()


def set_title(what: str, state_dir: Path) -> None:
    """Shows what this process is, and of which installation, in `ps`."""
    setproctitle.setproctitle(f"modelbox-server: {what} [{state_dir}]")


def end_with_parent(parent_pid: int) -> None:
    """Has the kernel send SIGTERM to this process when its parent dies, however it dies.

    Raises: SystemExit, when the parent is dead already.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent_pid:
        raise SystemExit(0)


def configure_logging(level: str) -> None:
    """One line an entry on stderr: time, level, what happened, and the values that belong to it."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Lines())),
    )
    logging.basicConfig(
        stream=cast(TextIO, _Lines()), level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s"
    )
