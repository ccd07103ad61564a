"""How long callers wait for a database that neither answers nor fails: a server that is stopped or starved, a disk
that hangs. The thread that asked goes on waiting; nobody else has to."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from server.store.database import Database
from server.store.errors import StoreUnavailable

T = TypeVar("T")

PATIENCE_SECONDS = 20.0
"""More than a lock is waited for, less than HTTP clients usually wait."""


def unanswered(database: Database, unsaid: str = "") -> StoreUnavailable:
    """`unsaid`: what the caller must know."""
    return database.unavailable(f"it has not answered for {PATIENCE_SECONDS:g} s{unsaid}")


async def bounded(database: Database, answer: Awaitable[T]) -> T:
    """The answer. Raises: StoreUnavailable, after PATIENCE_SECONDS."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await answer
    except TimeoutError as error:
        raise unanswered(database) from error
