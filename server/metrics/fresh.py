"""An expensive question, asked once for all who ask at one time, and not again at once."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")

FRESH_SECONDS = 1.0
"""Scrapes within so much time get the same answer."""


class Fresh(Generic[T]):
    """The answer of `make`, at most `seconds` old when it is given out: who asks more often costs nothing more."""

    def __init__(self, make: Callable[[], Awaitable[T]], seconds: float) -> None:
        self._make = make
        self._seconds = seconds
        self._task: asyncio.Task[T] | None = None
        self._made = 0.0

    async def get(self) -> T:
        """Raises: what `make` raises. Cancelling the wait does not end the question."""
        task = self._task
        if task is None or (task.done() and (self._failed(task) or monotonic() - self._made > self._seconds)):
            task = self._task = asyncio.create_task(self._ask(), name="scrape")
            # when all who asked have given up, nobody is left to hear of an error
            task.add_done_callback(self._failed)
        return await asyncio.shield(task)

    async def _ask(self) -> T:
        answer = await self._make()
        self._made = monotonic()
        return answer

    @staticmethod
    def _failed(task: "asyncio.Task[T]") -> bool:
        return task.cancelled() or task.exception() is not None
