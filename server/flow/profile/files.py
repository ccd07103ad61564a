"""The files of a profile: whole or not there, never over another one, and never more than a bound of them."""

import errno
import fcntl
import logging
import os
from collections import deque
from contextlib import suppress
from itertools import count
from pathlib import Path
from shutil import disk_usage
from time import strftime

log = logging.getLogger("server.flow")

_TAIL = 1 << 20


class ProfileFile:
    """A file in the making, under a hidden name that nobody else uses meanwhile. Methods raise OSError."""

    def __init__(self, descriptor: int, path: Path, name: str) -> None:
        self.size = 0
        self.final = path.with_name(name)
        self._descriptor = descriptor
        self._path = path

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            written = os.write(self._descriptor, rest)
            self.size += written
            rest = rest[written:]

    def finish(self) -> None:
        """Gives the file its name."""
        self._path.rename(self.final)
        os.close(self._descriptor)

    def discard(self) -> None:
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        with suppress(OSError):
            os.close(self._descriptor)


class ProfileFolder:
    """Several engines, and several flows of one, may share a folder. Of what came through here, the newest
    `keep_bytes` are kept; `spare_bytes` of the disk are left to others."""

    def __init__(self, path: Path, keep_bytes: int, spare_bytes: int) -> None:
        self.path = path
        self._keep_bytes = keep_bytes
        self._spare_bytes = spare_bytes
        self._written: deque[tuple[Path, int]] = deque()
        self._has_told = False

    def begin(self, kind: str) -> ProfileFile:
        """A file that becomes `kind`_YYYY-MM-DD-HH-MM-SS.json in local time (spec 9), with `_2` and so on where
        there is one already. Makes the folder when it is gone. Raises: OSError."""
        self.path.mkdir(parents=True, exist_ok=True)
        if disk_usage(self.path).free < self._spare_bytes:
            words = f"less than {self._spare_bytes // 1_000_000} MB are free, which are left to others"
            raise OSError(errno.ENOSPC, words, str(self.path))
        stem = f"{kind}_{strftime('%Y-%m-%d-%H-%M-%S')}"
        for number in count(1):
            name = f"{stem}.json" if number == 1 else f"{stem}_{number}.json"
            file = self._claim(name)
            if file is not None:
                return file
        raise AssertionError("counting never ends")

    def publish(self, file: ProfileFile) -> None:
        """Raises: OSError."""
        file.finish()
        self._written.append((file.final, file.size))
        while sum(size for _, size in self._written) > self._keep_bytes:
            path, _ = self._written.popleft()
            path.unlink(missing_ok=True)
            if not self._has_told:
                self._has_told = True
                log.warning("the profile in %s has grown large: its oldest files are being removed", self.path)

    def finish_orphans(self) -> None:
        """Gives their names to the traces of engines that were killed: they show what these did last.

        Raises: OSError."""
        for path in self.path.glob(".*.json.part") if self.path.is_dir() else ():
            # gone meanwhile, or somebody else's: not worth a word
            with suppress(OSError):
                _finish_orphan(path)

    def _claim(self, name: str) -> ProfileFile | None:
        """Who has made the hidden file may use the name; None, when it is taken."""
        path = self.path / f".{name}.part"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            return None
        # the lock says that somebody is alive who writes it
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        file = ProfileFile(descriptor, path, name)
        if os.fstat(descriptor).st_nlink == 0:
            # taken for an orphan in the moment before it was locked
            os.close(descriptor)
            return None
        if os.path.lexists(file.final):
            file.discard()
            return None
        return file


def _finish_orphan(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_nlink == 0:
            return
        end = _end_of_whole_lines(descriptor)
        if not path.name.startswith(".trace_") or end <= len(b"[\n"):
            path.unlink()
            return
        os.ftruncate(descriptor, end)
        os.pwrite(descriptor, b"]\n", end)
        path.rename(path.with_name(path.name.removeprefix(".").removesuffix(".part")))
    finally:
        os.close(descriptor)


def _end_of_whole_lines(descriptor: int) -> int:
    size = os.fstat(descriptor).st_size
    start = max(0, size - _TAIL)
    return start + os.pread(descriptor, size - start, start).rfind(b"\n") + 1
