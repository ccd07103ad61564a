"""Is the history in a database legal? Checked on the rows themselves, without the program's own fold."""

import json
import sqlite3
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

COLUMNS = "position, job_id, incarnation, version, type, data, epoch, actor, idempotency_key"
OF_NO_JOB = {"leader-elected", "backup-restored", "loss-accepted", "events-archived"}
CHANGES = {"change-requested", "successor-started", "change-applied", "change-failed"}
ENDS = {"engine-failed", "engine-exited", "engine-lost", "engine-stopped", "flow-succeeded"}


@dataclass(frozen=True)
class Row:
    position: int
    job_id: str | None
    incarnation: int
    version: int
    type: str
    data: dict[str, Any]
    epoch: int | None
    actor: str = ""
    key: str | None = None


class History(list[Row]):
    """The events; and what is in archives: `gaps`, from and to which position, and `archived`, how many events of
    which job and incarnation."""

    gaps: list[tuple[int, int]]
    archived: dict[tuple[str, int], int]


def read_history(database: str | Path) -> History:
    """All of the database at a path (SQLite) or a URL (Postgres); nothing when it has no log yet."""
    rows, gaps, archived = _read(
        database,
        f"SELECT {COLUMNS} FROM event ORDER BY position",
        "SELECT from_position, to_position FROM log_gap ORDER BY from_position",
        "SELECT job_id, incarnation, events FROM archived_job",
    )
    history = History(
        Row(*row[:5], json.loads(row[5]) if isinstance(row[5], str) else row[5], row[6], row[7], row[8])
        for row in rows
    )
    history.gaps = gaps
    history.archived = {(job_id, incarnation): count for job_id, incarnation, count in archived}
    return history


def _read(database: str | Path, *queries: str) -> list[list[Any]]:
    if isinstance(database, Path):
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
            connection.execute("BEGIN")
            found = [connection.execute(query).fetchall() for query in queries]
        connection.close()
        return found
    with psycopg.connect(database) as server:
        server.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        return [server.execute(query).fetchall() for query in queries]


def assert_legal(history: History) -> None:
    archived = history.archived
    missing = [position for begin, end in history.gaps for position in range(begin, end + 1)]
    positions = sorted([*(row.position for row in history), *missing])
    assert positions == list(range(1, len(positions) + 1)), "positions have holes"
    assert len(missing) == sum(archived.values()), "more or less is missing than was archived"
    epochs = [row.epoch for row in history if row.epoch is not None]
    assert epochs == sorted(epochs), "an old leader wrote after a new one"
    _assert_keys_are_used_once(history)
    lives: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in history:
        if row.type not in OF_NO_JOB:
            assert row.job_id is not None
            lives[row.job_id, row.incarnation].append(row)
    for (job_id, incarnation), life in lives.items():
        _assert_life_is_legal(f"{job_id}, incarnation {incarnation}", life)
    assert not lives.keys() & archived.keys(), "in the log and in an archive"
    _assert_lives_follow_each_other(lives, archived)


def _assert_keys_are_used_once(history: History) -> None:
    """What a request with a key has done, it has done at once."""
    ends: dict[tuple[str, str], int] = {}
    for row in history:
        if row.key is not None:
            end = ends.setdefault((row.actor, row.key), row.position)
            assert row.position - end <= 1, f"the request with key {row.key} was carried out twice"
            ends[row.actor, row.key] = row.position


def _assert_life_is_legal(name: str, life: list[Row]) -> None:
    assert [row.version for row in life] == list(range(1, len(life) + 1)), f"{name}: versions have holes"
    types = [row.type for row in life]
    assert types[0] == "job-created", f"{name}: begins with {types[0]}"
    assert types.count("job-created") == 1, f"{name}: created twice"
    assert "job-deleted" not in types[:-1], f"{name}: something happened after its deletion"
    attempt, live = 0, False
    change = _Change()
    for row in life:
        if row.type in CHANGES:
            live, attempt = _assert_change_is_legal(name, row, change, live, attempt)
        elif row.type == "engine-started":
            assert not live, f"{name}: attempt {attempt} had not ended when the next one started"
            assert row.data["attempt"] > max(attempt, change.newest_attempt), f"{name}: attempts go back"
            attempt, live = row.data["attempt"], True
        elif row.type == "attempts-summed-up":
            assert not live, f"{name}: attempt {attempt} had not ended when others were summed up"
            assert row.data["first_attempt"] > attempt, f"{name}: attempts go back"
            attempt = row.data["attempt"]
        elif row.type == "engine-adopted":
            assert row.data["attempt"] >= attempt, f"{name}: an old attempt was adopted"
            attempt, live = row.data["attempt"], True
        elif row.type == "engine-ready":
            assert live, f"{name}: ready without an engine"
            assert row.data["attempt"] == attempt, f"{name}: an engine is ready that is not the job's"
        elif row.type in ENDS:
            is_replaced = change.replaced and row.data["attempt"] == change.replaced
            change.replaced = 0 if is_replaced else change.replaced
            live = live and bool(is_replaced)
    assert not (live and types[-1] == "job-deleted"), f"{name}: deleted while its engine lived"


@dataclass
class _Change:
    """The change that is on its way, if `pending` has its number; and what was before."""

    newest: int = 1
    pending: int = 0
    successor: int = 0
    newest_attempt: int = 0
    replaced: int = 0


def _assert_change_is_legal(name: str, row: Row, change: _Change, live: bool, attempt: int) -> tuple[bool, int]:
    """Whether the job has an engine after that, and which."""
    if row.type == "change-requested":
        assert not change.pending, f"{name}: a change began before the one before it was over"
        assert row.data["revision"] == change.newest + 1, f"{name}: versions do not follow each other"
        change.newest = change.pending = row.data["revision"]
        change.successor = 0
        return live, attempt
    assert change.pending, f"{name}: {row.type} without a change"
    if row.type == "successor-started":
        assert row.data["attempt"] > max(attempt, change.newest_attempt), f"{name}: attempts go back"
        change.successor = change.newest_attempt = row.data["attempt"]
        return live, attempt
    assert row.data["revision"] == change.pending, f"{name}: {row.type} is about another version"
    change.pending = 0
    if row.type == "change-failed" or row.data["attempt"] is None:
        return live, attempt
    assert row.data["attempt"] == change.successor, f"{name}: an engine took over that was no successor"
    change.replaced = attempt if live else 0
    return True, change.successor


def _assert_lives_follow_each_other(
    lives: dict[tuple[str, int], list[Row]], archived: dict[tuple[str, int], int]
) -> None:
    for (job_id, incarnation), life in list(lives.items()):
        if incarnation == 1 or (job_id, incarnation - 1) in archived:
            continue
        before = lives[job_id, incarnation - 1]
        assert before[-1].type == "job-deleted", f"{job_id}: created again before it was deleted"
        assert before[-1].position < life[0].position
