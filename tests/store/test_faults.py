"""A database that fails: nobody is told of anything that is not on disk, and all is well again afterwards."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from server.jobs.commands import Graph
from server.jobs.ids import JobId
from server.store import Store, StoreUnavailable, patience, upgrade
from server.store.sqlite import SqliteDatabase
from server.store.urls import database_of
from tests.postgres import Postgres
from tests.store.jobs import CLIENT, A, B, create, query

SQLITE = pytest.mark.parametrize("kind", ["sqlite"])
POSTGRES = pytest.mark.parametrize("kind", ["postgres"])


def _connection_of_writer(store: Store, sql: str) -> "asyncio.Future[None]":
    """Runs a statement on the writer's own connection."""

    def run(connection: sa.Connection) -> tuple[None, bool]:
        connection.exec_driver_sql(sql)
        return None, True

    return store._writer.transact(run)  # type: ignore[return-value]


@contextmanager
def locked(url: str) -> Iterator[None]:
    """The log is locked by somebody else for the length of the block."""
    with database_of(url).connect() as connection:
        if url.startswith("sqlite"):
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql("BEGIN")
            connection.exec_driver_sql("SELECT * FROM log_head FOR UPDATE")
        yield
        connection.exec_driver_sql("ROLLBACK")


async def test_a_lock_that_is_held_too_long(store: Store, url: str, kind: str) -> None:
    await store.submit(create(), CLIENT)
    shorten = "PRAGMA busy_timeout = 100" if kind == "sqlite" else "SET lock_timeout = '100ms'"
    await _connection_of_writer(store, shorten)

    with locked(url), pytest.raises(StoreUnavailable, match="lock"):
        await store.submit(create(B), CLIENT)

    await store.submit(create(B), CLIENT)
    assert await store.verify() == []
    assert len(await store.events()) == 2


async def test_a_lock_that_is_held_for_a_moment(store: Store, url: str) -> None:
    with locked(url):
        waiting = asyncio.create_task(store.submit(create(), CLIENT))
        await asyncio.sleep(0.2)
        assert not waiting.done()

    assert (await waiting).head == 1


async def test_a_database_that_does_not_answer(store: Store, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for ever, and what had been handed over may still take effect."""
    await store.submit(create(), CLIENT)
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.2)
    with locked(url), pytest.raises(StoreUnavailable, match=r"not answered for 0\.2 s; it is not known whether"):
        await store.submit(create(B), CLIENT)
    monkeypatch.undo()

    await store.submit(create(JobId("job-c")), CLIENT)
    assert [one.job_id for one in await store.events()] == [A, B, "job-c"]


async def test_all_of_a_failed_batch_are_told(store: Store, url: str, kind: str) -> None:
    shorten = "PRAGMA busy_timeout = 100" if kind == "sqlite" else "SET lock_timeout = '100ms'"
    await _connection_of_writer(store, shorten)

    with locked(url):
        results = await asyncio.gather(
            *(store.submit(create(JobId(f"job-{n}")), CLIENT) for n in range(20)), return_exceptions=True
        )

    assert {type(result) for result in results} == {StoreUnavailable}
    assert await store.events() == []


@SQLITE
async def test_a_full_disk(store: Store, url: str) -> None:
    await store.submit(create(), CLIENT)
    ((pages,),) = [tuple(row.values()) for row in query(url, "PRAGMA page_count")]
    await _connection_of_writer(store, f"PRAGMA max_page_count = {pages + 2}")
    large = Graph.of("json", "x" * 500_000)

    with pytest.raises(StoreUnavailable, match="full"):
        await store.submit(create(B, large), CLIENT)

    await _connection_of_writer(store, "PRAGMA max_page_count = 100000")
    await store.submit(create(B, large), CLIENT)
    assert [one.position for one in await store.events()] == [1, 2]
    assert await store.verify() == []


async def test_a_database_that_is_read_only_for_a_while(store: Store, url: str, kind: str) -> None:
    await store.submit(create(), CLIENT)
    if kind == "sqlite":
        await _connection_of_writer(store, "PRAGMA query_only = 1")
    else:
        query(
            url,
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN RAISE read_only_sql_transaction; END'",
        )
        query(url, "CREATE TRIGGER refuse BEFORE INSERT ON event EXECUTE FUNCTION refuse()")

    with pytest.raises(StoreUnavailable, match=r"read.?only"):
        await store.submit(create(B), CLIENT)

    if kind == "postgres":
        query(url, "DROP TRIGGER refuse ON event")
    await store.submit(create(B), CLIENT)
    assert await store.verify() == []


@SQLITE
async def test_a_database_file_that_was_deleted(store: Store, url: str, tmp_path: Path) -> None:
    await store.submit(create(), CLIENT)
    os.rename(tmp_path / "test.db", tmp_path / "moved.db")

    with pytest.raises(StoreUnavailable, match="moved, replaced or deleted"):
        await store.submit(create(B), CLIENT)

    os.rename(tmp_path / "moved.db", tmp_path / "test.db")
    await store.submit(create(B), CLIENT)


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "other.db").write_text("not a database at all, " * 100)

    with pytest.raises(StoreUnavailable, match=r"other\.db cannot be used: file is not a database"):
        await Store.open(f"sqlite:///{tmp_path / 'other.db'}")


async def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """It is more likely a slip in the URL than a wish."""
    with pytest.raises(StoreUnavailable, match=r"cannot be used: .*No such file or directory"):
        upgrade(f"sqlite:///{tmp_path / 'missing' / 'x.db'}")

    assert not (tmp_path / "missing").exists()


@POSTGRES
async def test_connections_that_were_ended_while_idle(store: Store, url: str, postgres: Postgres) -> None:
    await store.submit(create(), CLIENT)
    await store.snapshot()
    await store.read_head()
    assert _end_connections(postgres, url) >= 3

    assert (await store.submit(create(B), CLIENT)).head == 2
    assert len((await store.snapshot()).jobs) == 2
    assert await store.read_head() == 2


@POSTGRES
async def test_a_connection_that_is_ended_in_mid_work(store: Store, url: str, postgres: Postgres) -> None:
    await store.submit(create(), CLIENT)
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE event IN SHARE MODE")
        waiting = asyncio.create_task(store.submit(create(B), CLIENT))
        async with asyncio.timeout(10):
            while not _end_connections(postgres, url, "wait_event_type = 'Lock'"):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        with pytest.raises(StoreUnavailable, match="terminat"):
            await waiting

    await store.submit(create(B), CLIENT)
    assert [one.position for one in await store.events()] == [1, 2]


@POSTGRES
async def test_a_paused_writer_does_not_stop_the_others_for_ever(store: Store, url: str) -> None:
    """It loses its session, and with it the lock on the log."""
    with psycopg.connect(url, autocommit=True) as paused:
        paused.execute("SET idle_in_transaction_session_timeout = '200ms'")
        paused.execute("BEGIN")
        paused.execute("SELECT * FROM log_head FOR UPDATE")
        await store.submit(create(), CLIENT)
        with pytest.raises(psycopg.Error):
            paused.execute("COMMIT")

    (timeout,) = await store._writer.transact(
        lambda connection: (connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout").one(), False)
    )
    assert timeout == "10s"


def _end_connections(postgres: Postgres, url: str, condition: str = "true") -> int:
    with postgres.connect(url) as connection:
        ended = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = current_database() AND pid <> pg_backend_pid() AND {condition}"
        )
        return len(ended.fetchall())


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (
            "postgresql://someone:secret@127.0.0.1:1/nothing",
            "someone:\\*\\*\\*@127.0.0.1:1/nothing cannot be used",
        ),
        ("postgresql://someone@127.0.0.1:1/x?password=secret", "someone@127.0.0.1:1/x cannot be used"),
        ("mysql://root:secret@localhost/x", "no database of ours: mysql"),
        ("postgresql://:secret@[::/x", "cannot be read"),
        ("sqlite://", "no database of ours"),
        ("sqlite:////nowhere/at/all.db", "there is no such file"),
        ("", "no database of ours"),
    ],
)
async def test_a_database_that_cannot_be_opened_is_one_clear_line(bad: str, message: str) -> None:
    with pytest.raises(StoreUnavailable, match=message) as caught:
        await Store.open(bad)

    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_path_with_everything_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "a b%20?#&" / ("long" * 40)
    folder.mkdir(parents=True)
    url = f"sqlite:///{folder / 'x.db'}"
    upgrade(url)
    store = await Store.open(url)
    await store.submit(create(), CLIENT)
    await store.close()

    database = database_of(url)
    assert isinstance(database, SqliteDatabase)
    assert (folder / "x.db").exists()
    assert [row["job_id"] for row in query(url, "SELECT job_id FROM job")] == [A]
