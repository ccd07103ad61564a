"""The engine's side of its log: file descriptors 1 and 2 lead to a file, which is changed for a new one in time.

Nothing stands between a print and the file, so that nothing can block, fill up or be lost with the process. A
thread looks at the file's size; decision 16 says why so, and what of it is measured.
"""

import contextlib
import faulthandler
import io
import os
import sys
import threading
import time
from functools import partial
from pathlib import Path

from server.engines.logs.changes import Changes
from server.engines.logs.files import Attempt, LogFile, LogLimits, files_in, mark, shorten
from server.engines.logs.stragglers import Straggler, is_inherited
from server.failpoints import Failpoint, hit, io_error

REST_SECONDS = 0.1
"""After a look, before the next write is waited for."""
BUSY_SECONDS = 0.02
"""Between two looks, while much is written."""
STRAGGLER_SECONDS = 2.0
LONGEST_SECONDS = 300.0
"""Between two looks, though nobody has told of a change."""
MARK_SECONDS = 1.0
BUSY_SHARE = 8
"""An engine that wrote that part of a file since the last look is looked at more often."""

_OURS = (1, 2)
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


class EngineLog:
    """Call `open` in the engine's process while it has one thread, then `look_after`."""

    def __init__(self, folder: Path, attempt: Attempt, limits: LogLimits) -> None:
        self._folder = folder
        self._limits = limits
        self._file = LogFile(attempt, 1, folder)
        self._live = -1
        self._changes: Changes | None = None
        self._marked = 0
        self._marked_at = 0.0
        self._seen = 0
        self._stragglers: list[Straggler] = []

    def open(self) -> None:
        """An engine whose log cannot be made runs without."""
        try:
            hit(Failpoint.ENGINE_LOG_OPEN, io_error)
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._changes = Changes(self._folder)
            self._live = os.open(self._file.path, _FLAGS, 0o600)
        except OSError:
            self._changes = None
            self._live = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        for number in _OURS:
            os.dup2(self._live, number)
        sys.stdout = self._stream(1)
        sys.stderr = self._stream(2)
        faulthandler.enable(2, all_threads=False)

    def look_after(self) -> None:
        """From now on, in a thread of its own."""
        if self._changes is not None:
            look = partial(self._look_now_and_then, self._changes)
            threading.Thread(target=look, name="engine-log", daemon=True).start()

    def _stream(self, number: int) -> io.TextIOWrapper:
        # a line that a unit prints is to be seen now, and not lost when the process is killed
        raw = io.BufferedWriter(_Unfailing(number, "w", closefd=False))  # type: ignore[type-var]
        return io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", line_buffering=True)

    def _look_now_and_then(self, changes: Changes) -> None:
        while True:
            try:
                is_busy = self.look()
            except OSError:
                is_busy = False  # a disk that is full or broken: there is nobody to tell
            time.sleep(BUSY_SECONDS if is_busy else REST_SECONDS)
            if not is_busy:
                changes.watch()
                # what was written before that is told by nobody
                if os.fstat(self._live).st_size == self._marked:
                    changes.wait(STRAGGLER_SECONDS if self._stragglers else LONGEST_SECONDS)

    def look(self) -> bool:
        """Does what is to be done now; returns whether much is being written. Raises: OSError."""
        grown = sum(straggler.forward(self._live) for straggler in self._stragglers)
        if self._stragglers and not grown:
            self._let_go()
        size = os.fstat(self._live).st_size
        grown += max(0, size - self._seen)
        if size < self._seen:
            self._marked = 0  # the host had to shorten it
        self._seen = size
        now = time.time()
        if size > self._marked and now - self._marked_at >= MARK_SECONDS:
            self._mark(size, now)
        if size >= self._limits.file_bytes:
            self._change(now)
        return grown > self._limits.file_bytes // BUSY_SHARE

    def _mark(self, size: int, now: float) -> None:
        self._marked, self._marked_at = size, now
        descriptor = os.open(self._file.times, _FLAGS, 0o600)
        with open(descriptor, "ab", buffering=0) as times:
            times.write(mark(size, now))

    def _change(self, now: float) -> None:
        hit(Failpoint.ENGINE_LOG_CHANGE, io_error)
        fresh = os.open(self._file.next.path, _FLAGS, 0o600)
        old, self._live = self._live, fresh
        for number in _OURS:
            # a unit may have led them somewhere else
            if _is_same(number, old):
                os.dup2(fresh, number)
        size = os.fstat(old).st_size
        with contextlib.suppress(OSError):
            self._mark(size, now)
        if size > self._limits.file_bytes * self._limits.files:
            shorten(old, self._limits.file_bytes)
        if is_inherited(os.getpid(), old):
            self._stragglers.append(Straggler(self._file, old, self._limits.file_bytes))
        else:
            os.close(old)
        self._file = self._file.next
        self._seen = self._marked = 0
        self._marked_at = 0.0
        self._let_go()
        self._remove_old()

    def _let_go(self) -> None:
        """Of files that nobody else holds any longer."""
        held = [straggler for straggler in self._stragglers if straggler.is_held(os.getpid())]
        gone = [straggler for straggler in self._stragglers if straggler not in held]
        for straggler in gone:
            straggler.forward(self._live)
            straggler.close()
        self._stragglers = held
        if gone:
            self._remove_old()

    def _remove_old(self) -> None:
        held = {straggler.file: straggler for straggler in self._stragglers}
        files = files_in(self._folder, self._file.attempt)
        room = self._limits.file_bytes * self._limits.files
        for kept, file in enumerate(reversed(files)):
            with contextlib.suppress(OSError):
                room -= file.path.stat().st_size
            if kept < self._limits.files and (kept == 0 or room >= 0):
                continue
            if file in held:
                # without a name nobody could see how it grows
                held[file].empty()
            else:
                file.remove()


class _Unfailing(io.FileIO):
    """A print must not fail because the disk is full."""

    def write(self, data: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        try:
            written = super().write(data)
        except OSError:
            written = None
        return len(data) if written is None else written


def _is_same(one: int, other: int) -> bool:
    try:
        return os.path.sameopenfile(one, other)
    except OSError:
        return False
