"""Reads on a thread of their own."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import sqlalchemy as sa

from server.store.database import Database
from server.store.head import Head
from server.store.patience import bounded
from server.store.seen import Watermark
from server.store.session import Session

T = TypeVar("T")


class Reader:
    """A thread with a connection of its own."""

    def __init__(self, database: Database, name: str, watermark: Watermark) -> None:
        self._session = Session(database)
        self.times = self._session.times
        self._watermark = watermark
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def run(self, call: Callable[[sa.Connection], T]) -> T:
        """What `call` reads, all of it from one state, of a log that has all that it ever had.

        Raises: StoreUnavailable, HistoryLost, Damaged.
        """
        return await self._bounded(self._read, call)

    async def run_unchecked(self, call: Callable[[sa.Connection], T]) -> T:
        """As `run`, for who looks into what is wrong."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._session.read, call)

    async def ask(self, call: Callable[[sa.Connection], T]) -> T:
        """What `call` reads with one statement. Raises: StoreUnavailable."""
        return await self._bounded(self._session.ask, call)

    async def _bounded(
        self, ask: Callable[[Callable[[sa.Connection], T]], T], call: Callable[[sa.Connection], T]
    ) -> T:
        asked = asyncio.get_running_loop().run_in_executor(self._thread, ask, call)
        return await bounded(self._session.database, asked)

    def _read(self, call: Callable[[sa.Connection], T]) -> T:
        seen = self._watermark.seen

        def checked(connection: sa.Connection) -> tuple[Head, T]:
            return self._watermark.check(connection, seen), call(connection)

        head, result = self._session.read(checked)
        self._watermark.take(head)
        return result

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._session.close)
        self._thread.shutdown(wait=True)
