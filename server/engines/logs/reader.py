"""Reads a log while it is written: from a place on, over its files, into the job's next attempts."""

import os
import time
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from server.engines.logs.files import Attempt, LogFile, Times, files_in
from server.engines.logs.lines import WEIGHT, Line, Parser, Raw, Splitter, as_time
from server.wire.logs import Level, LogEntry

PIECE_BYTES = 64 * 1024
PARSED_SHARE = 4
"""Lines that are looked into take so many times as long: pieces are smaller by that."""
SETTLE_SECONDS = 0.2
"""How long the end of a file is read again after the next one was begun: somebody may be about to write to it."""
MISSING = "[what stood here has been removed]"

Place = tuple[LogFile, int]
"""A file and an offset in it at which a line begins."""


@dataclass(frozen=True)
class Wanted:
    """What is shown and how. Printed lines count as `info`."""

    level: Level | None = None
    since: datetime | None = None
    as_json: bool = False

    @property
    def needs_times(self) -> bool:
        return self.as_json or self.since is not None

    @property
    def needs_nothing(self) -> bool:
        return self.level is None and not self.needs_times

    @property
    def is_filter(self) -> bool:
        return self.level is not None or self.since is not None


@dataclass(frozen=True)
class Piece:
    """`at_end`: there is no more now."""

    data: bytes
    at_end: bool


class LogReader:
    """All methods read from the disk, a piece at each call. For one thread at a time."""

    def __init__(
        self, folder: Path, attempt: Attempt, wanted: Wanted, *, follow: bool = False, over_attempts: bool = False
    ) -> None:
        """`follow`: what is begun waits for its end. `over_attempts`: go on with the attempts that come after."""
        self._folder = folder
        self._wanted = wanted
        self._piece_bytes = PIECE_BYTES if wanted.needs_nothing else max(1, PIECE_BYTES // PARSED_SHARE)
        self._follow = follow
        self._over_attempts = over_attempts
        self._file = LogFile(attempt, 1, folder)
        self._offset = 0
        self._splitter = Splitter()
        self._parser = Parser()
        self._times = Times([], [])
        self._times_size = -1
        self._left_at: float | None = None
        self.is_over = False
        """Another attempt has begun, and it is not wanted."""

    @property
    def attempt(self) -> Attempt:
        """Whose log it is in; what `read` returned is of this attempt or of the one before."""
        return self._file.attempt

    def start(self) -> None:
        """At the beginning, or where `since` says."""
        files = files_in(self._folder, self._file.attempt)
        since = self._wanted.since
        if since is not None:
            files = [file for file in files if _changed(file) >= since.timestamp()] or files[-1:]
        if files:
            offset = 0 if since is None else Times.of(files[0]).offset_of(since.timestamp())
            self._go_to(files[0], _line_start(files[0], offset))

    def go_to_tail(self, count: int) -> None:
        """Where the last `count` lines begin, if none are left out: at most as far back as `start` led."""
        files = [file for file in files_in(self._folder, self._file.attempt) if file >= self._file]
        at_end = True
        for file in reversed(files):
            first = self._offset if file == self._file else 0
            found, count = _tail_of(file, first, count, is_last=at_end)
            at_end = False
            if found is not None:
                self._go_to(file, found)
                return

    def resume(self, place: Place) -> None:
        self._go_to(*place)

    def note_places(self, places: deque[Place]) -> bool:
        """As `read`, for the places of the lines that are wanted; False at the end. For who does not follow."""
        raws, at_end = self._next()
        places += [(self._file, raw.offset) for raw, _ in self._selected(raws)]
        return not at_end

    def read(self) -> Piece:
        raws, at_end = self._next()
        lines: list[str] = []
        if self._wanted.needs_nothing:
            lines = [raw.text for raw in raws]
        elif self._wanted.as_json:
            return Piece(b"".join(self._entry(raw, line) for raw, line in self._selected(raws)), at_end)
        else:
            lines = [raw.text for raw, _ in self._selected(raws)]
        return Piece("".join(f"{line}\n" for line in lines).encode(), at_end)

    def _next(self) -> tuple[list[Raw], bool]:
        data = self._data()
        if data:
            return self._splitter.feed(data), False
        if (further := self._further()) is not None:
            return further, False
        return [] if self._follow and not self.is_over else self._splitter.flush(), True

    def _data(self) -> bytes:
        try:
            descriptor = os.open(self._file.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return b""
        try:
            data = os.pread(descriptor, self._piece_bytes, self._offset)
            self._offset += len(data)
            if not data and os.fstat(descriptor).st_size < self._offset and not self._file.next.path.exists():
                self._go_to(self._file, 0)  # the host shortened it
        finally:
            os.close(descriptor)
        return data

    def _further(self) -> list[Raw] | None:
        """Goes to the next file, if there is one and this one has been read to its very end; returns what comes of
        that. None when there is none yet."""
        later = [file for file in files_in(self._folder) if file > self._file]
        if later and later[0].attempt != self._file.attempt and not self._over_attempts:
            later, self.is_over = [], True
        if not later:
            return None
        if self._left_at is None:
            self._left_at = time.monotonic() + (SETTLE_SECONDS if self._follow else 0.0)
            return None if self._follow else []
        if time.monotonic() < self._left_at:
            return None
        return self._leave_for(later[0])

    def _leave_for(self, file: LogFile) -> list[Raw]:
        if file == self._file.next:
            self._file, self._offset, self._left_at = file, 0, None
            self._splitter.next_file()
            self._times_size = -1
            return []
        raws = self._splitter.flush()
        is_gap = file.attempt == self._file.attempt or file.number > 1
        self._go_to(file, 0)
        return [*raws, Raw(0, 0, MISSING.encode())] if is_gap else raws

    def _go_to(self, file: LogFile, offset: int) -> None:
        self._file, self._offset, self._left_at = file, offset, None
        self._splitter, self._parser = Splitter(offset), Parser()
        self._times_size = -1

    def _selected(self, raws: list[Raw]) -> list[tuple[Raw, Line]]:
        selected = []
        for raw in raws:
            line = self._parser.parse(raw.text)
            if line.time is None and self._wanted.needs_times:
                line = Line(line.text, self._time_of(raw), line.level, line.node)
            if self._is_wanted(line):
                selected.append((raw, line))
        return selected

    def _is_wanted(self, line: Line) -> bool:
        level, since = self._wanted.level, self._wanted.since
        if level is not None and WEIGHT[line.level or Level.INFO] < WEIGHT[level]:
            return False
        return since is None or line.time is None or line.time >= since

    def _time_of(self, raw: Raw) -> datetime | None:
        try:
            size = self._file.times.stat().st_size
        except OSError:
            size = 0
        if size != self._times_size:
            self._times, self._times_size = Times.of(self._file), size
        seconds = self._times.at(raw.offset) or _changed(self._file)
        return as_time(seconds) if seconds else None

    def _entry(self, raw: Raw, line: Line) -> bytes:
        entry = LogEntry(
            place=self._file.place(raw.end),
            incarnation=self._file.attempt.incarnation,
            attempt=self._file.attempt.number,
            time=line.time,
            level=line.level,
            node=line.node,
            text=line.text,
        )
        return msgspec.json.encode(entry) + b"\n"


def _changed(file: LogFile) -> float:
    try:
        return file.path.stat().st_mtime
    except OSError:
        return 0.0


def _line_start(file: LogFile, offset: int) -> int:
    """Of the line in which `offset` is; `offset` itself, when that line is a very long one."""
    begin = max(0, offset - PIECE_BYTES)
    before = _bytes(file, begin, offset)
    return begin + before.rfind(b"\n") + 1 if b"\n" in before else offset if begin else 0


def _tail_of(file: LogFile, first: int, count: int, *, is_last: bool) -> tuple[int | None, int]:
    """Where the last `count` lines of a file begin; None, and how many are still wanted, when it has fewer."""
    end = _size(file)
    if is_last and _bytes(file, max(first, end - 1), end) == b"\n":
        end -= 1
    if is_last and count == 0:
        return _size(file), 0
    while end > first:
        begin = max(first, end - PIECE_BYTES)
        block = _bytes(file, begin, end)
        breaks = block.count(b"\n")
        if breaks >= count:
            place = len(block)
            for _ in range(count):
                place = block.rfind(b"\n", 0, place)
            return begin + place + 1, 0
        count -= breaks
        end = begin
    return None, count


def _size(file: LogFile) -> int:
    try:
        return file.path.stat().st_size
    except OSError:
        return 0


def _bytes(file: LogFile, begin: int, end: int) -> bytes:
    try:
        with file.path.open("rb") as opened:
            opened.seek(begin)
            return opened.read(max(0, end - begin))
    except OSError:
        return b""
