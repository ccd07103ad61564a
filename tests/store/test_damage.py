"""Damage to the database: each kind is found and named by `verify`, and nothing damaged is served."""

import os
import sqlite3
from pathlib import Path

import pytest

from server.jobs.commands import Graph
from server.jobs.ids import JobId, Position
from server.store import Damaged, Store, StoreUnavailable
from server.store.history import History, Wanted
from server.store.store import check
from tests.store.jobs import CLIENT, RUNNER, A, B, create, created_and_deleted, query, ready, started, unlock

SQLITE = pytest.mark.parametrize("kind", ["sqlite"])


@pytest.fixture
async def damaged(store: Store, url: str) -> Store:
    """A log of eleven events, whose rows may be changed; not damaged yet."""
    await store.elect(RUNNER, "machine-a", 1)
    await created_and_deleted(store, JobId("gone"))
    await store.submit(create(), CLIENT)
    await store.submit_all([started(), ready()], RUNNER)
    await store.submit(create(B), CLIENT)
    assert await store.verify() == []
    check(url)
    unlock(url)
    return store


async def found(store: Store) -> set[tuple[int, str, str]]:
    return {(one.position, one.job_id, one.column) for one in await store.verify()}


@pytest.mark.parametrize(
    "change",
    [
        "actor = 'somebody else'",
        "request_id = 'x'",
        "idempotency_key = ''",
        "type = 'engine-painted'",
        "schema_version = 2",
        "epoch = 7",
        "recorded_at = '2026-01-02T03:04:05.000006Z'",
        "checksum = '0'",
    ],
)
async def test_a_changed_column(damaged: Store, url: str, change: str) -> None:
    query(url, f"UPDATE event SET {change.replace(':', chr(92) + ':')} WHERE position = 9")

    assert (9, "job-a", "event.checksum") in await found(damaged)
    with pytest.raises(Damaged, match=r"position 9, job job-a: event\.checksum is"):
        check(url)


async def test_changed_data(damaged: Store, url: str, kind: str) -> None:
    value = '\'{"attempt"\\:1,"endpoints"\\:[]}\''
    query(
        url,
        f"UPDATE event SET data = {value if kind == 'sqlite' else f'CAST({value} AS jsonb)'} WHERE position = 10",
    )

    assert await found(damaged) >= {(10, "job-a", "event.checksum"), (0, "job-a", "endpoints")}


async def test_a_deleted_row(damaged: Store, url: str) -> None:
    query(url, "DELETE FROM event WHERE position = 4")

    assert (5, "gone", "event.position") in await found(damaged)
    with pytest.raises(Damaged, match=r"position 5, job gone: event\.position is 5, expected 4"):
        check(url)


async def test_the_last_row_deleted(damaged: Store, url: str) -> None:
    query(url, "DELETE FROM event WHERE position = 11")

    assert {(0, "", "log_head.position"), (0, "job-b", "job_id")} <= await found(damaged)
    with pytest.raises(Damaged, match="log_head says that it ends at position 11, it ends at 10"):
        check(url)


async def test_the_last_row_replaced(damaged: Store, url: str) -> None:
    """By one that would be right, were it not for the head."""
    query(url, "UPDATE event SET actor = 'x', checksum = 'y' WHERE position = 11")

    assert {(11, "job-b", "event.checksum"), (0, "", "log_head.checksum")} == await found(damaged)


async def test_swapped_rows(damaged: Store, url: str) -> None:
    for old, new in ((9, 99), (10, 9), (99, 10)):
        query(url, f"UPDATE event SET position = {new} WHERE position = {old}")

    assert {(9, "job-a", "event.checksum"), (10, "job-a", "event.checksum")} <= await found(damaged)


async def test_a_changed_graph(damaged: Store, url: str) -> None:
    query(url, "UPDATE graph SET source = source || ' '")
    job = (await damaged.snapshot()).jobs[0]

    assert {column for _, _, column in await found(damaged)} == {"graph.source"}
    with pytest.raises(Damaged, match=r"graph .* is damaged.*modelbox-server db verify"):
        await damaged.graph(job.graph_digest)


async def test_a_changed_plan_is_not_used(damaged: Store, url: str) -> None:
    """It can be compiled anew, so it keeps nothing from starting."""
    job = (await damaged.snapshot()).jobs[0]
    await damaged.keep_plan(job.graph_digest, "a plan")
    assert await found(damaged) == set()
    query(url, "UPDATE graph SET plan = 'another plan'")

    graph = await damaged.graph(job.graph_digest)

    assert graph is not None
    assert graph.plan is None
    assert {column for _, _, column in await found(damaged)} == {"graph.plan"}


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        ("UPDATE job SET desired = 'deleted' WHERE job_id = 'job-a'", "the row of job job-a in table job"),
        ("UPDATE job SET status = 'FAILED' WHERE job_id = 'job-a'", "the row of job job-a in table job"),
        ("UPDATE job SET attempt = 0 WHERE job_id = 'job-a'", "the row of job job-a in table job"),
        ("DELETE FROM job WHERE job_id = 'job-a'", "it has 1 rows, log_head says 2"),
    ],
)
async def test_a_damaged_projection(damaged: Store, url: str, damage: str, match: str) -> None:
    query(url, damage)

    with pytest.raises(Damaged, match=rf"{match}.*modelbox-server db rebuild"):
        await Store.open(url)
    assert "job-a" in {job_id for _, job_id, _ in await found(damaged)}
    if damage.startswith("UPDATE"):
        with pytest.raises(Damaged):
            await damaged.snapshot()

    mending = await Store.open(url, check_data=False)
    assert await mending.rebuild() == 2
    await mending.close()
    check(url)
    assert {job.job_id for job in (await damaged.snapshot()).jobs} == {A, B}


async def test_an_old_row_of_a_job(damaged: Store, url: str, kind: str) -> None:
    """A row that was right once, as a lost write leaves it: its own checksum is right."""
    before = query(url, "SELECT * FROM job WHERE job_id = 'job-b'")[0]
    await damaged.submit(started(1, B), RUNNER)
    columns = [name for name, value in before.items() if value is None or isinstance(value, (int, str))]
    columns = [name for name in columns if name not in ("options", "endpoints")]
    values = ", ".join(
        f"{name} = " + ("NULL" if before[name] is None else repr(before[name]).replace(":", "\\:"))
        for name in columns
    )
    query(url, f"UPDATE job SET {values} WHERE job_id = 'job-b'")
    query(url, "UPDATE job SET changed_at = created_at WHERE job_id = 'job-b'")

    with pytest.raises(Damaged, match=r"its row of job job-b is at position 11, the log at 12 \(engine-started\)"):
        check(url)


async def test_nothing_is_rebuilt_from_a_damaged_log(damaged: Store, url: str) -> None:
    query(url, "DELETE FROM event WHERE position = 4")

    with pytest.raises(Damaged, match=r"position 5, job gone.*restore a backup"):
        await damaged.rebuild()

    assert len((await damaged.snapshot()).jobs) == 2


@SQLITE
async def test_rows_of_any_content_are_named(damaged: Store, url: str) -> None:
    """What a flipped bit may leave: no JSON, no time, no UTF-8, no text at all."""
    for position, change in (
        (2, "data = '{\"'"),
        (4, "recorded_at = 'yesterday'"),
        (6, "actor = CAST(x'ff' AS TEXT)"),
        (8, "data = x'00'"),
    ):
        query(url, f"UPDATE event SET {change} WHERE position = {position}")

    assert {position for position, _, column in await found(damaged) if column == "event"} == {2, 4, 6, 8}


@SQLITE
async def test_a_file_that_was_cut_off(url: str, tmp_path: Path) -> None:
    store = await Store.open(url)
    await store.submit(create(A, Graph.of("json", "x" * 100_000)), CLIENT)
    await store.close()
    query(url, "PRAGMA wal_checkpoint(TRUNCATE)")
    path = tmp_path / "test.db"
    os.truncate(path, path.stat().st_size - 8192)

    with pytest.raises(Damaged, match=r"its file was cut off, it has \d+ of \d+ bytes; run `modelbox-server db"):
        check(url)
    with pytest.raises(Damaged, match="its file was cut off"):
        await Store.open(url, check_data=False)


@SQLITE
async def test_a_file_with_a_page_overwritten(url: str, tmp_path: Path) -> None:
    query(url, "PRAGMA wal_checkpoint(TRUNCATE)")
    (root,) = [row["rootpage"] for row in query(url, "SELECT rootpage FROM sqlite_master WHERE name = 'event'")]
    with (tmp_path / "test.db").open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(b"\xa5" * 4096)

    with pytest.raises(StoreUnavailable, match=r"malformed.*modelbox-server db verify"):
        check(url)
    store = await Store.open(url, check_data=False)
    assert "database file" in [one.column for one in await store.verify()]
    await store.close()


def test_sqlite_says_how_many_pages_its_file_has(tmp_path: Path) -> None:
    """The header's place of the number, on which the check of the file's length relies."""
    with sqlite3.connect(tmp_path / "x.db") as database:
        database.execute("CREATE TABLE t (c)")
        (pages,) = database.execute("PRAGMA page_count").fetchone()
    database.close()

    assert int.from_bytes((tmp_path / "x.db").read_bytes()[28:32]) == pages


@pytest.mark.parametrize(
    "change",
    ["actor = 'somebody else'", "recorded_at = '2026-01-02T03:04:05.000006Z'", "checksum = '0'", "version = 7"],
)
async def test_a_changed_event_is_not_served(damaged: Store, url: str, change: str) -> None:
    query(url, f"UPDATE event SET {change.replace(':', chr(92) + ':')} WHERE position = 9")
    await assert_not_served(url, r"position (9|10) is not as it was written")


async def test_an_event_behind_a_hole_is_not_served(damaged: Store, url: str) -> None:
    query(url, "DELETE FROM event WHERE position = 8")
    await assert_not_served(url, "position 8 is missing")


@SQLITE
@pytest.mark.parametrize("change", ["data = '{'", "recorded_at = 'noon'"])
async def test_an_event_that_cannot_be_read_is_not_served(damaged: Store, url: str, change: str) -> None:
    query(url, f"UPDATE event SET {change} WHERE position = 9")
    await assert_not_served(url, "cannot be read")


async def assert_not_served(url: str, reason: str) -> None:
    """Others' events are."""
    history = History(url)
    try:
        for newest_first in (True, False):
            with pytest.raises(Damaged, match=reason):
                await history.of_job(A, None, 10, newest_first=newest_first)
        with pytest.raises(Damaged, match=reason):
            await history.after(Position(0), 100, Wanted())
        assert len(await history.of_job(JobId("gone"), None, 10, newest_first=False) or ()) == 6
    finally:
        await history.close()
