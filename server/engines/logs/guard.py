"""The host's look at the engines' logs, for engines that cannot look: one whose interpreter is held by a
library that floods its log, or that is stopped while a program of its floods it.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from server.engines.logs.files import LogFile, LogLimits, shorten

LOOK_SECONDS = 2.0
PATIENCE = 2
"""Looks at which a log has to be too large before it is cut: its engine is given the time to see to it."""


@dataclass
class _Watched:
    file: LogFile
    most: int
    keep: int
    times_seen: int = 0


class LogGuard:
    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._watched: dict[str, _Watched] = {}
        self._due = 0.0

    def watch(self, job_id: str, file: LogFile, limits: LogLimits) -> None:
        """`file`: the first of the job's newest attempt."""
        if not self._watched:
            self._due = self._now() + LOOK_SECONDS
        self._watched[job_id] = _Watched(file, limits.file_bytes * (limits.files + 1), limits.file_bytes)

    def forget(self, job_id: str) -> None:
        self._watched.pop(job_id, None)

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
        while watched.file.next.path.exists():
            watched.file = watched.file.next
            watched.times_seen = 0
        size = watched.file.path.stat().st_size
        watched.times_seen = watched.times_seen + 1 if size > watched.most else 0
        if watched.times_seen >= PATIENCE:
            _shorten(watched.file, watched.keep)


def _shorten(file: LogFile, keep: int) -> None:
    descriptor = os.open(file.path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
    try:
        shorten(descriptor, keep)
    finally:
        os.close(descriptor)
    file.times.unlink(missing_ok=True)
