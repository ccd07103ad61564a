"""The host's look at logs, with a clock of its own and a writer that does not care."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.engines.logs.files import Attempt, LogFile, LogLimits
from server.engines.logs.guard import LOOK_SECONDS, LogGuard

LIMITS = LogLimits(file_bytes=1000, files=3)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def file(tmp_path: Path) -> LogFile:
    return LogFile(Attempt(1, 1), 1, tmp_path)


@pytest.fixture
def writer(file: LogFile) -> Iterator[int]:
    descriptor = os.open(file.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    yield descriptor
    os.close(descriptor)


def look(guard: LogGuard, clock: Clock) -> None:
    clock.now += LOOK_SECONDS
    guard.look()


def test_a_log_that_nobody_looks_after_is_cut_to_its_end(file: LogFile, writer: int) -> None:
    clock = Clock()
    guard = LogGuard(clock)
    guard.watch("a", file.folder, file.attempt, LIMITS)
    os.write(writer, b"x" * 10_000 + b"the end\n")
    look(guard, clock)
    assert file.path.stat().st_size == 10_008  # its engine is given time
    look(guard, clock)
    text = file.path.read_bytes()
    assert text.startswith(b"\n[9008 bytes are left out here]\nxxx")
    assert text.endswith(b"xthe end\n")
    os.write(writer, b"more\n")
    assert file.path.read_bytes() == text + b"more\n"


def test_a_log_that_is_looked_after_is_left_alone(file: LogFile, writer: int) -> None:
    clock = Clock()
    guard = LogGuard(clock)
    guard.watch("a", file.folder, file.attempt, LIMITS)
    os.write(writer, b"x" * 10_000)
    look(guard, clock)
    os.truncate(file.path, 4000)
    look(guard, clock)
    os.write(writer, b"x" * 6_000)
    look(guard, clock)
    assert file.path.stat().st_size == 10_000


def test_an_old_file_that_grows_is_cut_too(file: LogFile, writer: int) -> None:
    clock = Clock()
    guard = LogGuard(clock)
    guard.watch("a", file.folder, file.attempt, LIMITS)
    file.next.path.write_bytes(b"it goes on here")
    os.write(writer, b"x" * 10_000)
    look(guard, clock)
    look(guard, clock)
    assert file.path.stat().st_size < 1_100
    assert file.next.path.read_bytes() == b"it goes on here"


def test_nothing_is_looked_at_before_it_is_due_or_when_there_is_nothing(file: LogFile, writer: int) -> None:
    clock = Clock()
    guard = LogGuard(clock)
    assert guard.seconds_left is None
    guard.watch("a", file.folder, file.attempt, LIMITS)
    assert guard.seconds_left == LOOK_SECONDS
    os.write(writer, b"x" * 10_000)
    for _ in range(10):
        guard.look()
    assert file.path.stat().st_size == 10_000
    guard.forget("a")
    assert guard.seconds_left is None


def test_a_log_that_was_removed_is_no_error(file: LogFile) -> None:
    clock = Clock()
    guard = LogGuard(clock)
    guard.watch("a", file.folder, file.attempt, LIMITS)
    look(guard, clock)
    assert not file.path.exists()
