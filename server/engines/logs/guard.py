"""The host's look at the engines' logs, for engines that cannot look: one whose interpreter is held by a
library that floods its log, or that is stopped while a program of its floods it.
"""

import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from server.engines.logs.files import Attempt, LogFile, LogLimits, files_in, shorten

LOOK_SECONDS = 4.0
PATIENCE = 2
"""Looks at which a log has to be too large before it is cut: its engine is given the time to see to it."""


@dataclass
class _Watched:
    """An attempt's files; `changed` is when one was added or removed. `too_large`: at so many looks in a row."""

    folder: Path
    attempt: Attempt
    most: int
    keep: int
    changed: int = -1
    files: list[LogFile] = field(default_factory=list)
    too_large: Counter[LogFile] = field(default_factory=Counter)


class LogGuard:
    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._watched: dict[tuple[str, int], _Watched] = {}
        self._due = 0.0

    def watch(self, job_id: str, folder: Path, attempt: Attempt, limits: LogLimits, seat: int = 0) -> None:
        """In place of an earlier attempt in the same seat of the same job."""
        if not self._watched:
            self._due = self._now() + LOOK_SECONDS
        most = limits.file_bytes * (limits.files + 1)
        self._watched[job_id, seat] = _Watched(folder, attempt, most, limits.file_bytes)

    def forget(self, job_id: str) -> None:
        for seat in (0, 1):
            self._watched.pop((job_id, seat), None)

    @property
    def seconds_left(self) -> float | None:
        """Until the next look; None when there is nothing to look at."""
        return max(0.0, self._due - self._now()) if self._watched else None

    def look(self) -> None:
        if self.seconds_left != 0.0:
            return
        self._due = self._now() + LOOK_SECONDS
        for watched in self._watched.values():
            try:
                self._check(watched)
            except OSError:
                continue  # removed meanwhile, or the disk is broken

    def _check(self, watched: _Watched) -> None:
        changed = watched.folder.stat().st_mtime_ns
        if changed != watched.changed:
            watched.changed, watched.files = changed, files_in(watched.folder, watched.attempt)
            watched.too_large.clear()
        for file in watched.files:
            if file.path.stat().st_size <= watched.most:
                watched.too_large.pop(file, None)
                continue
            watched.too_large[file] += 1
            if watched.too_large[file] >= PATIENCE:
                _shorten(file, watched.keep)


def _shorten(file: LogFile, keep: int) -> None:
    descriptor = os.open(file.path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
    try:
        shorten(descriptor, keep)
    finally:
        os.close(descriptor)
    file.times.unlink(missing_ok=True)
