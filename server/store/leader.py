"""Who leads: a lock that ends with its holder's process. What keeps a late leader from writing is its epoch."""

import asyncio
import fcntl
import os
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
import sqlalchemy as sa

from server.failpoints import Failpoint, hit, io_error
from server.store.database import Database
from server.store.errors import StoreUnavailable
from server.store.postgres import PostgresDatabase
from server.store.sqlite import SqliteDatabase
from server.store.urls import database_of

POLL_SECONDS = 0.25
ANSWER_SECONDS = 2.0
"""How long the database may take to answer before the leader takes its lock for lost."""
LEADER_LOCK = 0x6D6F_6465_6C62_0002
"""Key of Postgres' advisory lock."""


class LeaderLock(ABC):
    """`lost` is set when the lock was held and is not any more."""

    def __init__(self) -> None:
        self.lost = asyncio.Event()

    @abstractmethod
    async def acquire(self) -> None:
        """Waits, without limit, until this process leads. Raises: StoreUnavailable."""

    @abstractmethod
    async def try_acquire(self) -> bool:
        """Takes the lock if nobody holds it; whether it did. Raises: StoreUnavailable."""

    @abstractmethod
    async def release(self) -> None:
        """Gives the lock back; nothing happens when it is not held."""

    async def __aenter__(self) -> Self:
        await self.acquire()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.release()


class FileLeaderLock(LeaderLock):
    """A lock on a file beside the database. The kernel gives it back when the process is gone, and children that
    were started with exec do not inherit it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._descriptor: int | None = None

    async def acquire(self) -> None:
        while not self._try():  # noqa: ASYNC110 - other processes set no event of ours
            await asyncio.sleep(POLL_SECONDS)

    async def try_acquire(self) -> bool:
        return self._try()

    async def release(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _try(self) -> bool:
        try:
            hit(Failpoint.LEADER_TRY, io_error)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnavailable(f"leader lock {self._path} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), os.stat(self._path)):
                self._descriptor = descriptor
                return True
        except OSError:
            pass  # somebody else leads, or has just removed the file
        os.close(descriptor)
        return False


class AdvisoryLeaderLock(LeaderLock):
    """A session's advisory lock on Postgres: the server gives it back when the connection ends."""

    def __init__(self, database: PostgresDatabase) -> None:
        super().__init__()
        self._database = database
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._watch: asyncio.Task[None] | None = None

    async def acquire(self) -> None:
        while not await self._try():  # noqa: ASYNC110 - nor do other machines
            await asyncio.sleep(POLL_SECONDS)
        self._watch = asyncio.create_task(self._watch_connection(), name="leader lock")

    async def try_acquire(self) -> bool:
        return await self._try()

    async def release(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
        await self._disconnect()

    async def _try(self) -> bool:
        try:
            hit(Failpoint.LEADER_TRY, io_error)
            if self._connection is None:
                arguments = self._database.connect_arguments
                self._connection = await psycopg.AsyncConnection.connect(**arguments, autocommit=True)
            async with asyncio.timeout(ANSWER_SECONDS):
                cursor = await self._connection.execute(f"SELECT pg_try_advisory_lock({LEADER_LOCK})")
                row = await cursor.fetchone()
        except (psycopg.Error, OSError, TimeoutError):
            # a database that is away for a while: keep waiting for a turn
            await self._disconnect()
            return False
        return row is not None and bool(row[0])

    async def _watch_connection(self) -> None:
        connection = self._connection
        assert connection is not None
        try:
            while True:
                hit(Failpoint.LEADER_WATCH, io_error)
                async with asyncio.timeout(ANSWER_SECONDS):
                    await connection.execute("SELECT 1")
                # waits on the connection, so that its end is noticed at once
                async for _ in connection.notifies(timeout=1.0):
                    pass
        except (psycopg.Error, OSError, TimeoutError):
            await self._disconnect()
            self.lost.set()

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error, OSError):
                await connection.close()


def is_led(database: Database, connection: sa.Connection) -> bool:
    """Whether some process holds the leader's lock of `database`, to which `connection` leads. Blocking."""
    if isinstance(database, SqliteDatabase):
        return _is_file_locked(_lock_file(database))
    # a lock's key is shown in two halves
    held = (
        "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
        " AND (classid::bigint << 32) + objid::bigint = :key"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
    )
    return bool(connection.scalar(sa.text(held), {"key": LEADER_LOCK}))


def _is_file_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # shared, and for a moment: a runner that wants to lead just then tries again
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _lock_file(database: SqliteDatabase) -> Path:
    return Path(f"{database.path}.leader.lock")


def leader_lock(url: str) -> LeaderLock:
    """The lock that the leader of the database at `url` holds. Raises: StoreUnavailable, for a bad URL."""
    database = database_of(url)
    if isinstance(database, SqliteDatabase):
        return FileLeaderLock(_lock_file(database))
    assert isinstance(database, PostgresDatabase)
    return AdvisoryLeaderLock(database)
