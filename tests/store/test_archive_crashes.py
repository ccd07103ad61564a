"""kill -9 of `db archive` at each of its steps: nothing is lost, and the same call again goes on."""

import asyncio
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from server.failpoints import VARIABLE, Action, Failpoint, arm, has_fired
from server.jobs.ids import JobId
from server.store import Store, archive
from tests.history import assert_legal, read_history
from tests.store.jobs import RUNNER, created_and_deleted, query

PROGRAM = """
import asyncio, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from server.store import archive
from server.store.archiving import archive as steps
steps.EVENTS_A_BATCH = 10
now = datetime.now(UTC)
asyncio.run(archive(sys.argv[1], Path(sys.argv[2]), now + timedelta(seconds=60), now))
"""
JOBS = 5
EVENTS = 6 * JOBS
STEPS = [
    (Failpoint.ARCHIVE_WRITTEN, 0),
    (Failpoint.ARCHIVE_NAMED, 0),
    (Failpoint.STORE_BEFORE_COMMIT, 0),
    (Failpoint.STORE_BEFORE_COMMIT, 1),
    (Failpoint.STORE_AFTER_COMMIT, 1),
    (Failpoint.ARCHIVE_REMOVED, 0),
    (Failpoint.ARCHIVE_REMOVED, 2),
    (Failpoint.ARCHIVE_DONE, 0),
]


@pytest.mark.parametrize(("point", "skip"), STEPS)
async def test_killed_at(store: Store, url: str, tmp_path: Path, point: Failpoint, skip: int) -> None:
    await store.elect(RUNNER, "machine-a", 1)
    for number in range(JOBS):
        await created_and_deleted(store, JobId(f"job-{number}"))
    path, armoury = tmp_path / "old", tmp_path / "armoury"
    armoury.mkdir()
    arm(armoury, point, Action.CRASH, skip=skip)

    killed = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", PROGRAM, url, str(path)], env={**os.environ, VARIABLE: str(armoury)}
    )

    assert killed.returncode == -signal.SIGKILL
    assert has_fired(armoury, point)
    archives = [path] if path.exists() else []
    assert await store.verify() == []
    if query(url, "SELECT * FROM log_gap"):
        assert await store.verify(archives) == []
    now = datetime.now(UTC)
    again = await archive(url, path, now + timedelta(seconds=60), now)
    assert again is not None
    assert (again.jobs, again.events) == (JOBS, EVENTS)
    assert await store.verify([path]) == []
    history = read_history(Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite") else url)
    assert_legal(history)
    assert [row.type for row in history] == ["leader-elected", "events-archived"]
    assert query(url, "SELECT * FROM graph") == []
    assert list(tmp_path.glob("old*")) == [path]
