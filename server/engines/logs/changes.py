"""Waits until somebody writes to a file of a directory: a thousand quiet engines must cost nothing.

By dnotify, which tells of that by a signal. inotify would be nicer, but its instances are few (128 a user, often).
"""

import fcntl
import os
import signal
import time
from pathlib import Path

_NUMBER = signal.SIGRTMAX - 3
_POLL_SECONDS = 1.0
"""Where the file system tells of no changes."""


class Changes:
    """Make it while the process has one thread: the signal is blocked in all threads that are started later."""

    def __init__(self, folder: Path) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {_NUMBER})
        # a library that unblocks all signals in a thread must not end the process by this one
        signal.signal(_NUMBER, signal.SIG_IGN)
        self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._is_told = True
        try:
            fcntl.fcntl(self._folder, fcntl.F_SETSIG, _NUMBER)
        except OSError:
            self._is_told = False

    def watch(self) -> None:
        """The next change from now on is told to `wait`."""
        if self._is_told:
            try:
                fcntl.fcntl(self._folder, fcntl.F_NOTIFY, fcntl.DN_MODIFY)
            except OSError:
                self._is_told = False

    def wait(self, seconds: float) -> None:
        """At most so long."""
        if self._is_told:
            signal.sigtimedwait({_NUMBER}, seconds)
        else:
            time.sleep(min(seconds, _POLL_SECONDS))
