"""Where a program finds the results of a session that it began (spec 4.12)."""

import threading
from collections import deque
from collections.abc import Iterable
from enum import Enum
from time import monotonic

from server.flow.unitapi import Buffer


class Wait(Enum):
    """Why a wait for results came to its end."""

    DATA = "data"
    OVER = "over"
    TIMED_OUT = "timed out"


class Outlet:
    """The results of one session, port by port, in their order. Safe from any thread.

    Unbounded, as in ModelBox: a program that first sends everything and then reads must not lock itself out.
    """

    def __init__(self, ports: Iterable[str]) -> None:
        self._queues: dict[str, deque[Buffer]] = {port: deque() for port in ports}
        self._changed = threading.Condition()
        self._is_over = False
        self._error: str | None = None

    @property
    def error(self) -> str | None:
        """The last error of the session: of a buffer that came out, or why the session ended early."""
        return self._error

    def has_port(self, port: str) -> bool:
        return port in self._queues

    def put(self, results: dict[str, Buffer]) -> None:
        """Buffers of one position, by port."""
        with self._changed:
            for port, buffer in results.items():
                self._queues[port].append(buffer)
                if buffer.has_error():
                    self._error = buffer.get_error_msg()
            self._changed.notify_all()

    def finish(self, error: str | None) -> None:
        """No more results. The first end counts."""
        with self._changed:
            if self._is_over:
                return
            self._is_over = True
            if error is not None:
                self._error = error
            self._changed.notify_all()

    def take(self, port: str, seconds: float | None) -> tuple[Wait, Buffer | None]:
        """The next result at `port`; waits up to `seconds`, None = for ever."""
        with self._changed:
            found = self._wait([self._queues[port]], seconds)
            return found, self._queues[port].popleft() if found is Wait.DATA else None

    def take_all(self, seconds: float | None) -> tuple[Wait, dict[str, list[Buffer]]]:
        """All results that are there, by port; waits until there is one."""
        with self._changed:
            found = self._wait(list(self._queues.values()), seconds)
            if found is not Wait.DATA:
                return found, {}
            results = {port: list(queue) for port, queue in self._queues.items() if queue}
            for queue in self._queues.values():
                queue.clear()
            return found, results

    def _wait(self, queues: list[deque[Buffer]], seconds: float | None) -> Wait:
        deadline = None if seconds is None else monotonic() + seconds
        while not any(queues):
            if self._is_over:
                return Wait.OVER
            left = None if deadline is None else deadline - monotonic()
            if left is not None and left <= 0:
                return Wait.TIMED_OUT
            self._changed.wait(left)
        return Wait.DATA
