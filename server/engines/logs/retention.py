"""Which logs are removed, and when."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from server.engines.logs.files import Attempt, LogFile, files_in


class LogRetention(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds, numbers and bytes; 0: without limit."""

    attempts: int = 10
    max_age: float = 0.0
    max_age_deleted: float = 0.0
    max_bytes: int = 0


@dataclass(frozen=True)
class _Kept:
    """What there is of an attempt; `changed`: when it was last written to."""

    attempt: Attempt
    files: tuple[LogFile, ...]
    size: int
    changed: float


def tidy(jobs: Path, retention: LogRetention, live: frozenset[str] | None, now: float | None = None) -> int:
    """Removes what is to be kept no longer from the folders of all jobs in `jobs`; returns the number of attempts.

    `live` are the folders' names of jobs that are not deleted; None when that is not known. A live job keeps its
    newest attempt whatever its age and size.
    """
    now = time.time() if now is None else now
    removed = 0
    rest: list[_Kept] = []
    for folder in _folders(jobs):
        is_live = live is None or folder.name in live
        attempts = list(_attempts(folder))
        gone = [kept for kept in attempts if _is_due(kept, attempts, retention, is_live=is_live, now=now)]
        removed += len(gone)
        for kept in gone:
            _remove(kept)
        left = [kept for kept in attempts if kept not in gone]
        rest += left[:-1] if is_live else left
        if not left and not is_live:
            _remove_folder(folder)
    return removed + _make_room(jobs, rest, retention.max_bytes)


def _folders(jobs: Path) -> list[Path]:
    try:
        return [folder for folder in jobs.iterdir() if folder.is_dir()]
    except OSError:
        return []


def _attempts(folder: Path) -> Iterator[_Kept]:
    """Oldest first."""
    files = files_in(folder)
    for attempt in sorted({file.attempt for file in files}):
        own = tuple(file for file in files if file.attempt == attempt)
        sizes, times = [0], [0.0]
        for file in own:
            try:
                stat = file.path.stat()
            except OSError:
                continue
            sizes.append(stat.st_size)
            times.append(stat.st_mtime)
        yield _Kept(attempt, own, sum(sizes), max(times))


def _is_due(kept: _Kept, all_: list[_Kept], retention: LogRetention, *, is_live: bool, now: float) -> bool:
    if is_live and kept == all_[-1]:
        return False
    if retention.attempts and kept in all_[: -retention.attempts]:
        return True
    most = retention.max_age if is_live else retention.max_age_deleted
    return most > 0 and now - kept.changed > most


def _make_room(jobs: Path, removable: list[_Kept], most: int) -> int:
    if not most:
        return 0
    total = sum(kept.size for folder in _folders(jobs) for kept in _attempts(folder))
    removed = 0
    for kept in sorted(removable, key=lambda kept: kept.changed):
        if total <= most:
            break
        _remove(kept)
        total -= kept.size
        removed += 1
    return removed


def _remove(kept: _Kept) -> None:
    for file in kept.files:
        try:
            file.remove()
        except OSError:
            continue  # a broken disk: it is tried again at the next time


def _remove_folder(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return  # somebody just began to write there
