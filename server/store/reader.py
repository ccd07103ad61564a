"""Reads on a thread of their own."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import sqlalchemy as sa

from server.store.database import Database
from server.store.session import Session

T = TypeVar("T")


class Reader:
    """A thread with a connection of its own."""

    def __init__(self, database: Database, name: str) -> None:
        self._session = Session(database)
        self.times = self._session.times
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def run(self, call: Callable[[sa.Connection], T]) -> T:
        """What `call` reads, all of it from one state. Raises: StoreUnavailable."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._session.read, call)

    async def ask(self, call: Callable[[sa.Connection], T]) -> T:
        """What `call` reads with one statement. Raises: StoreUnavailable."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._session.ask, call)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._session.close)
        self._thread.shutdown(wait=True)
