"""From any thread to the event loop, with one wake-up for many messages."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress


class Mailbox:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._letters: deque[Callable[[], None]] = deque()
        self._is_called = False

    def post(self, letter: Callable[[], None]) -> None:
        """Has the loop call `letter`. After the loop has closed, nothing happens."""
        self._letters.append(letter)
        if self._is_called:
            return
        self._is_called = True
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        # reset first: a letter posted from here on calls again, one posted before is in the queue
        self._is_called = False
        while self._letters:
            self._letters.popleft()()
