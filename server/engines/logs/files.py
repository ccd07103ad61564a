"""Where logs lie: a folder a job, in it numbered files for each attempt.

logs/jobs/<job>/<incarnation>-<attempt>.<number>.log      what the attempt wrote; the highest number is written now
logs/jobs/<job>/<incarnation>-<attempt>.<number>.times    how long that file was when, for lines that bear no time
"""

import os
import re
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path
from struct import Struct

import msgspec

_NAME = re.compile(r"(\d{1,18})-(\d{1,18})\.(\d{1,18})\.log")
_PLACE = re.compile(r"(\d{1,18})-(\d{1,18})\.(\d{1,18})\.(\d{1,18})")
_MARK = Struct(">Qd")

LEFT_OUT = b"\n[%d bytes are left out here]\n"
"""A line in place of what is not there."""


class LogLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Of one attempt. It takes no more than `file_bytes` times `files` of the disk, but for what a flood writes
    before anybody can look."""

    file_bytes: int = 8 * 1024 * 1024
    files: int = 4


@dataclass(frozen=True, order=True)
class Attempt:
    incarnation: int
    number: int

    def __str__(self) -> str:
        return f"{self.incarnation}-{self.number}"


@dataclass(frozen=True, order=True)
class LogFile:
    """Ordered as they were written."""

    attempt: Attempt
    number: int
    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / f"{self.attempt}.{self.number:04d}.log"

    def place(self, offset: int) -> str:
        """In words that clients keep and give back."""
        return f"{self.attempt}.{self.number}.{offset}"

    @property
    def times(self) -> Path:
        return self.path.with_suffix(".times")

    @property
    def next(self) -> "LogFile":
        return LogFile(self.attempt, self.number + 1, self.folder)

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self.times.unlink(missing_ok=True)


def files_in(folder: Path, attempt: Attempt | None = None) -> list[LogFile]:
    """Of all attempts, or of one, in order; none when there is no such folder."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    found = [LogFile(Attempt(int(i), int(n)), int(number), folder) for i, n, number in _numbers(names)]
    return sorted(file for file in found if attempt is None or file.attempt == attempt)


def _numbers(names: list[str]) -> list[tuple[str, ...]]:
    matches = map(_NAME.fullmatch, names)
    return [match.groups() for match in matches if match is not None]


def parse_place(folder: Path, text: str) -> tuple[LogFile, int]:
    """Raises: ValueError."""
    match = _PLACE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no place in a log")
    incarnation, attempt, number, offset = map(int, match.groups())
    return LogFile(Attempt(incarnation, attempt), number, folder), offset


def newest_file(folder: Path, attempt: Attempt) -> LogFile | None:
    files = files_in(folder, attempt)
    return files[-1] if files else None


def shorten(descriptor: int, keep: int) -> None:
    """Leaves the last `keep` bytes, in the same file: who writes there holds it open."""
    size = os.fstat(descriptor).st_size
    end = os.pread(descriptor, keep, size - keep)
    os.ftruncate(descriptor, 0)
    os.write(descriptor, LEFT_OUT % (size - len(end)) + end)


def mark(size: int, now: float) -> bytes:
    """A record for a file of times: it was `size` bytes long at `now`, seconds since 1970."""
    return _MARK.pack(size, now)


class Times:
    """When which part of a file was written, to about two seconds."""

    def __init__(self, sizes: list[int], times: list[float]) -> None:
        self._sizes = sizes
        self._times = times

    @classmethod
    def of(cls, file: LogFile) -> "Times":
        try:
            records = file.times.read_bytes()
        except OSError:
            records = b""
        whole = len(records) - len(records) % _MARK.size
        marks = list(_MARK.iter_unpack(records[:whole]))
        return cls([size for size, _ in marks], [time for _, time in marks])

    def at(self, offset: int) -> float | None:
        """The time by which what stands there had been written; None when that is not known."""
        n = bisect_left(self._sizes, offset + 1)
        return self._times[n] if n < len(self._times) else None

    def offset_of(self, time: float) -> int:
        """What is behind this offset was, at least as far as is known, not written before `time`."""
        n = bisect_left(self._times, time)
        return self._sizes[n - 1] if n > 0 else 0
