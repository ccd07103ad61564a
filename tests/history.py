"""Is the history in a database legal? Checked on the rows themselves, without the program's own fold."""

import json
import sqlite3
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

COLUMNS = "position, job_id, incarnation, version, type, data, epoch"
OF_NO_JOB = {"leader-elected", "backup-restored", "loss-accepted"}
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


def read_history(database: str | Path) -> list[Row]:
    """All events of the database at a path (SQLite) or a URL (Postgres); none when it has no log yet."""
    query = f"SELECT {COLUMNS} FROM event ORDER BY position"
    if isinstance(database, Path):
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
            rows = connection.execute(query).fetchall()
        connection.close()
    else:
        with psycopg.connect(database) as server:
            rows = server.execute(query).fetchall()
    return [Row(*row[:5], json.loads(row[5]) if isinstance(row[5], str) else row[5], row[6]) for row in rows]


def assert_legal(rows: list[Row]) -> None:
    positions = [row.position for row in rows]
    assert positions == list(range(1, len(rows) + 1)), "positions have holes"
    epochs = [row.epoch for row in rows if row.epoch is not None]
    assert epochs == sorted(epochs), "an old leader wrote after a new one"
    lives: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in rows:
        if row.type not in OF_NO_JOB:
            assert row.job_id is not None
            lives[row.job_id, row.incarnation].append(row)
    for (job_id, incarnation), life in lives.items():
        _assert_life_is_legal(f"{job_id}, incarnation {incarnation}", life)
    _assert_lives_follow_each_other(lives)


def _assert_life_is_legal(name: str, life: list[Row]) -> None:
    assert [row.version for row in life] == list(range(1, len(life) + 1)), f"{name}: versions have holes"
    types = [row.type for row in life]
    assert types[0] == "job-created", f"{name}: begins with {types[0]}"
    assert types.count("job-created") == 1, f"{name}: created twice"
    assert "job-deleted" not in types[:-1], f"{name}: something happened after its deletion"
    attempt, live = 0, False
    for row in life:
        if row.type == "engine-started":
            assert not live, f"{name}: attempt {attempt} had not ended when the next one started"
            assert row.data["attempt"] > attempt, f"{name}: attempts go back"
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
        elif row.type in ENDS:
            live = False
    assert not (live and types[-1] == "job-deleted"), f"{name}: deleted while its engine lived"


def _assert_lives_follow_each_other(lives: dict[tuple[str, int], list[Row]]) -> None:
    for (job_id, incarnation), life in lives.items():
        if incarnation == 1:
            continue
        before = lives[job_id, incarnation - 1]
        assert before[-1].type == "job-deleted", f"{job_id}: created again before it was deleted"
        assert before[-1].position < life[0].position
