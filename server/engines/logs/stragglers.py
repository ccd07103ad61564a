"""A log file that is not written any more, except by programs that a unit has started: they inherited it.

What they write is moved to where the log goes on, so that it is read there, and the file does not grow.
"""

import os

from server.engines.logs.files import LEFT_OUT, LogFile
from server.engines.tree import descendants_of

MOVED = 1024 * 1024
"""Bytes of one look. Who writes more than that between two looks loses the rest."""


class Straggler:
    def __init__(self, file: LogFile, descriptor: int, most: int) -> None:
        """`most`: bytes that are moved at one look."""
        self.file = file
        self.descriptor = descriptor
        self._own = os.fstat(descriptor).st_size
        self._most = min(most, MOVED)

    def forward(self, live: int) -> int:
        """Returns how much was written since the last time. Raises: OSError."""
        extra = os.fstat(self.descriptor).st_size - self._own
        if extra <= 0:
            return 0
        piece = os.pread(self.descriptor, min(extra, self._most), self._own)
        os.ftruncate(self.descriptor, self._own)
        if extra > len(piece):
            piece += LEFT_OUT % (extra - len(piece))
        os.write(live, piece)
        return extra

    def empty(self) -> None:
        """What the engine itself wrote there is not kept. Raises: OSError."""
        os.ftruncate(self.descriptor, 0)
        self._own = 0

    def is_held(self, pid: int) -> bool:
        return is_inherited(pid, self.descriptor)

    def close(self) -> None:
        os.close(self.descriptor)


def is_inherited(pid: int, descriptor: int) -> bool:
    """Whether anything that `pid` has started holds the same file open."""
    wanted = os.fstat(descriptor)
    identity = wanted.st_dev, wanted.st_ino
    return any(identity in _open_files(process.pid) for process in descendants_of(pid))


def _open_files(pid: int) -> set[tuple[int, int]]:
    found: set[tuple[int, int]] = set()
    try:
        names = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return found
    for name in names:
        try:
            stat = os.stat(f"/proc/{pid}/fd/{name}")
        except OSError:
            continue
        found.add((stat.st_dev, stat.st_ino))
    return found
