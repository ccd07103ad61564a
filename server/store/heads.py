"""Has anything been appended? The question behind every answer from memory, so it must cost next to nothing."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import suppress

from server.failpoints import Failpoint, hit
from server.jobs.ids import Position
from server.store.database import Database
from server.store.queries import Mark
from server.store.sqlite import SqliteDatabase


class SqliteHead:
    """The mark of the jobs' state, read on the calling thread: microseconds, and no lock is waited for."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._connection: sqlite3.Connection | None = None
        self._data_version = -1
        self._mark = Mark(Position(0))

    def read(self) -> Mark | None:
        """The mark; None when it cannot be told at once."""
        try:
            hit(Failpoint.STORE_HEAD, _injected)
            if self._connection is None:
                self._connection = self._database.connect_driver(create=False, timeout=0.0)
            # data_version changes exactly when another connection has committed
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
            if version != self._data_version:
                row = self._connection.execute("SELECT position, left_out, fence FROM log_head").fetchone()
                # the version was read first: a commit in between is noticed by the next call
                self._data_version, self._mark = version, Mark(*row)
        except Exception:
            self.close()
            return None
        return self._mark

    def close(self) -> None:
        connection, self._connection = self._connection, None
        self._data_version = -1
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()


def sync_head_of(database: Database) -> SqliteHead | None:
    return SqliteHead(database) if isinstance(database, SqliteDatabase) else None


def _injected() -> sqlite3.OperationalError:
    return sqlite3.OperationalError("injected failure")


class Shared:
    """One question asked by many at once. Whoever comes while it is under way shares the next one, since the
    answer on its way may have been read before they came."""

    def __init__(self, ask: Callable[[], Awaitable[Mark]]) -> None:
        self._ask = ask
        self._running: asyncio.Task[Mark] | None = None
        self._next: asyncio.Task[Mark] | None = None

    async def __call__(self) -> Mark:
        if self._running is None:
            self._running = self._start(None)
            return await asyncio.shield(self._running)
        if self._next is None:
            self._next = self._start(self._running)
        return await asyncio.shield(self._next)

    def _start(self, before: "asyncio.Task[Mark] | None") -> "asyncio.Task[Mark]":
        task = asyncio.create_task(self._run(before), name="log head")
        # when all who asked have given up, nobody is left to hear of an error
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task

    async def _run(self, before: "asyncio.Task[Mark] | None") -> Mark:
        if before is not None:
            await asyncio.wait({before})
            self._running, self._next = self._next, None
        try:
            return await self._ask()
        finally:
            if self._next is None:
                self._running = None
