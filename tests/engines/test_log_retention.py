"""Which logs are removed."""

import os
from pathlib import Path

from server.engines.logs.files import Attempt, LogFile
from server.engines.logs.retention import LogRetention, tidy

NOW = 1_000_000.0
EVERYTHING = LogRetention(attempts=0)


def write(jobs: Path, job: str, number: int, age: float, *, size: int = 10, incarnation: int = 1) -> LogFile:
    folder = jobs / job
    folder.mkdir(exist_ok=True)
    file = LogFile(Attempt(incarnation, number), 1, folder)
    file.path.write_bytes(b"x" * size)
    file.times.write_bytes(b"")
    os.utime(file.path, (NOW - age, NOW - age))
    return file


def left(jobs: Path) -> list[str]:
    return sorted(path.relative_to(jobs).as_posix() for path in jobs.rglob("*.log"))


def test_without_limits_everything_stays(tmp_path: Path) -> None:
    write(tmp_path, "live", 1, 1e6)
    write(tmp_path, "gone", 1, 1e6)
    assert tidy(tmp_path, EVERYTHING, frozenset({"live"}), NOW) == 0
    assert len(left(tmp_path)) == 2


def test_the_newest_attempts_are_kept_over_all_incarnations(tmp_path: Path) -> None:
    for incarnation, number in [(1, 1), (1, 10), (1, 9), (2, 1)]:
        write(tmp_path, "job", number, 0, incarnation=incarnation)
    assert tidy(tmp_path, LogRetention(attempts=2), frozenset({"job"}), NOW) == 2
    assert left(tmp_path) == ["job/1-10.0001.log", "job/2-1.0001.log"]


def test_ages_of_live_jobs_and_of_deleted_ones(tmp_path: Path) -> None:
    for job in ("live", "gone"):
        for number, age in ((1, 500), (2, 50), (3, 20)):
            write(tmp_path, job, number, age)
    retention = LogRetention(attempts=0, max_age=100, max_age_deleted=30)
    assert tidy(tmp_path, retention, frozenset({"live"}), NOW) == 3
    assert left(tmp_path) == ["gone/1-3.0001.log", "live/1-2.0001.log", "live/1-3.0001.log"]


def test_the_newest_log_of_a_live_job_stays_however_old(tmp_path: Path) -> None:
    write(tmp_path, "live", 7, 1e6, size=1000)
    retention = LogRetention(attempts=1, max_age=1, max_age_deleted=1, max_bytes=1)
    assert tidy(tmp_path, retention, frozenset({"live"}), NOW) == 0
    assert tidy(tmp_path, retention, None, NOW) == 0
    assert left(tmp_path) == ["live/1-7.0001.log"]


def test_nothing_is_left_of_a_deleted_job(tmp_path: Path) -> None:
    write(tmp_path, "gone", 1, 100)
    retention = LogRetention(attempts=0, max_age_deleted=30)
    assert tidy(tmp_path, retention, frozenset(), NOW) == 1
    assert tidy(tmp_path, retention, frozenset(), NOW) == 0
    assert list(tmp_path.iterdir()) == []


def test_room_is_made_by_removing_the_oldest_of_all(tmp_path: Path) -> None:
    write(tmp_path, "a", 1, 40, size=100)
    write(tmp_path, "b", 1, 50, size=100)
    write(tmp_path, "b", 2, 30, size=100)
    write(tmp_path, "a", 2, 20, size=100)
    retention = LogRetention(attempts=0, max_bytes=300)
    assert tidy(tmp_path, retention, frozenset({"a"}), NOW) == 1
    assert left(tmp_path) == ["a/1-1.0001.log", "a/1-2.0001.log", "b/1-2.0001.log"]


def test_other_files_and_a_missing_directory_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "notes.txt").write_text("mine")
    retention = LogRetention(attempts=1, max_age=1, max_age_deleted=1)
    assert tidy(tmp_path, retention, frozenset(), NOW) == 0
    assert (tmp_path / "job" / "notes.txt").exists()
    assert tidy(tmp_path / "none", retention, frozenset(), NOW) == 0
