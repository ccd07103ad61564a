"""Backups: taken while others write, checked, restored into either database, with nothing running twice."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.jobs import events as e
from server.jobs.ids import Epoch, JobId
from server.store import Damaged, Refused, StaleEpoch, Store, StoreError, backup, leader_lock, restore
from server.store.store import check
from tests.history import assert_legal, read_history
from tests.postgres import Postgres
from tests.store.jobs import CLIENT, RUNNER, B, create, created_and_deleted, query, ready, seen, started, unlock

SQLITE = pytest.mark.parametrize("kind", ["sqlite"])
EVENTS = "SELECT position, checksum FROM event ORDER BY position"


@pytest.fixture
async def told(store: Store) -> Store:
    """A log with some of everything in it, a crash loop included."""
    await store.elect(RUNNER, "machine-a", 1)
    await created_and_deleted(store, JobId("gone"))
    await store.submit(create(), CLIENT)
    await store.submit_all([started(), ready()], RUNNER)
    await store.submit(create(B), CLIENT)
    for attempt in range(1, 12):
        exited = e.EngineExited(
            attempt=attempt,
            exit_code=1,
            signal=None,
            error="dies",
            failures=attempt,
            rounds=attempt,
            retry_at=(await store.snapshot()).jobs[0].created_at,
        )
        await store.submit_all([started(attempt, B), seen(exited, B)], RUNNER)
    return store


@pytest.fixture(params=["sqlite", "postgres"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database to restore into."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'target.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()


async def test_what_is_restored_is_what_was_backed_up(told: Store, url: str, target: str, tmp_path: Path) -> None:
    file = tmp_path / "b.backup"
    before = await told.snapshot()
    events = query(url, EVENTS)

    head = await asyncio.to_thread(backup, url, file)
    assert (head.position, head.jobs) == (before.head, 2)
    restored = await restore(target, file, "machine-b")

    store = await Store.open(target)
    assert await store.verify() == []
    assert (await store.snapshot()).jobs == before.jobs
    assert query(target, EVENTS)[:-1] == events
    (last,) = await store.events(after=before.head)
    assert last.event == e.BackupRestored(host="machine-b")
    assert (last.position, last.epoch) == (restored.position, restored.epoch)
    assert await store.elect(RUNNER, "machine-b", 2) == restored.epoch + 1
    await store.close()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


async def test_a_backup_while_others_write(store: Store, url: str, tmp_path: Path) -> None:
    await store.submit(create(), CLIENT)
    writing = asyncio.create_task(_write_on(store))
    heads = [await asyncio.to_thread(backup, url, tmp_path / "b.backup") for _ in range(3)]
    written = len(await writing)

    assert 0 < heads[0].position < heads[2].position <= written * 3
    await restore(f"sqlite:///{tmp_path / 'target.db'}", tmp_path / "b.backup", "x")
    assert len(read_history(tmp_path / "target.db")) == heads[2].position + 1
    assert_legal(read_history(tmp_path / "target.db"))


async def _write_on(store: Store) -> list[str]:
    names = [JobId(f"job-{n}") for n in range(300)]
    for name in names:
        await store.submit(create(name), CLIENT)
        await store.submit_all([started(1, name), ready(1, name)], RUNNER)
    return list(names)


async def test_an_old_leader_writes_nothing_after_a_restore(told: Store, url: str, tmp_path: Path) -> None:
    epoch = await told.elect(RUNNER, "machine-a", 1)
    await asyncio.to_thread(backup, url, tmp_path / "b.backup")
    target = f"sqlite:///{tmp_path / 'target.db'}"
    await restore(target, tmp_path / "b.backup", "x", known_epoch=Epoch(5_000_000_000))
    store = await Store.open(target)

    with pytest.raises(StaleEpoch):
        await store.submit_all([ready()], RUNNER, epoch)
    assert (await store.elect(RUNNER, "x", 2)) == 5_000_000_002
    await store.close()


async def test_a_database_that_is_not_empty(told: Store, url: str, tmp_path: Path) -> None:
    await asyncio.to_thread(backup, url, tmp_path / "b.backup")
    before = await told.snapshot()
    epoch = await told.elect(RUNNER, "machine-a", 1)
    await told.submit(create(JobId("later")), CLIENT)
    await told.close()

    with pytest.raises(Refused, match=r"is not empty, its log has \d+ events; with --replace"):
        await restore(url, tmp_path / "b.backup", "x")
    assert len(query(url, "SELECT * FROM job WHERE job_id = 'later'")) == 1
    head = await restore(url, tmp_path / "b.backup", "x", replace=True)

    assert head.epoch > epoch
    store = await Store.open(url)
    assert (await store.snapshot()).jobs == before.jobs
    assert await store.verify() == []
    with pytest.raises(Exception, match="append-only"):
        query(url, "DELETE FROM event")
    await store.close()


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    """Closed by the test, or here."""
    opened = await Store.open(url)
    yield opened
    if not opened._writer._closed:
        await opened.close()


async def test_a_database_that_somebody_leads(told: Store, url: str, tmp_path: Path) -> None:
    await asyncio.to_thread(backup, url, tmp_path / "b.backup")
    async with leader_lock(url):
        with pytest.raises(Refused, match="stop the server first"):
            await restore(url, tmp_path / "b.backup", "x", replace=True)


@SQLITE
async def test_a_file_that_is_replaced_is_put_aside(told: Store, url: str, tmp_path: Path) -> None:
    await asyncio.to_thread(backup, url, tmp_path / "b.backup")
    await told.close()
    (tmp_path / "test.db").write_bytes(b"no database any more")
    with pytest.raises(Refused, match="with --replace the file is put aside"):
        await restore(url, tmp_path / "b.backup", "x")

    await restore(url, tmp_path / "b.backup", "x", replace=True)

    check(url)
    (aside,) = tmp_path.glob("test.db.replaced-*")
    assert aside.read_bytes() == b"no database any more"


async def test_a_damaged_database_is_not_backed_up(told: Store, url: str, tmp_path: Path) -> None:
    (tmp_path / "b.backup").write_text("the last good one")
    unlock(url)
    query(url, "UPDATE event SET actor = 'x' WHERE position = 3")

    with pytest.raises(Damaged, match=r"position 3, job gone: event\.checksum"):
        await asyncio.to_thread(backup, url, tmp_path / "b.backup")

    assert (tmp_path / "b.backup").read_text() == "the last good one"


@SQLITE
@pytest.mark.parametrize("how", ["cut off", "changed", "another", "missing", "empty"])
async def test_a_backup_that_is_none(told: Store, url: str, tmp_path: Path, how: str) -> None:
    file, target = tmp_path / "b.backup", f"sqlite:///{tmp_path / 'target.db'}"
    await asyncio.to_thread(backup, url, file)
    match how:
        case "cut off":
            os.truncate(file, file.stat().st_size // 2)
        case "changed":
            unlock(f"sqlite:///{file}")
            query(f"sqlite:///{file}", "UPDATE event SET actor = 'x' WHERE position = 3")
        case "another":
            file.unlink()
            query_new(file)
        case "missing":
            file.unlink()
        case "empty":
            file.write_bytes(b"")

    with pytest.raises(StoreError, match=r"backup .*b\.backup"):
        await restore(target, file, "x")

    assert not (tmp_path / "target.db").exists()


def query_new(file: Path) -> None:
    """Another program's database."""
    with sqlite3.connect(file) as other:
        other.execute("CREATE TABLE event (a)")
    other.close()


@SQLITE
async def test_a_backup_is_not_changed_by_being_restored(told: Store, url: str, tmp_path: Path) -> None:
    file = tmp_path / "b.backup"
    await asyncio.to_thread(backup, url, file)
    content = file.read_bytes()

    for n in range(2):
        await restore(f"sqlite:///{tmp_path / f'target-{n}.db'}", file, "x")

    assert file.read_bytes() == content


@SQLITE
async def test_a_backup_onto_the_database_itself(told: Store, url: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="is the database itself"):
        await asyncio.to_thread(backup, url, tmp_path / "test.db")
