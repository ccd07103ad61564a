"""Back-pressure on whoever feeds a flow from outside: a program, or a unit's own thread."""

import threading


class Room:
    """At most `capacity` buffers wait before the flow; then senders wait. Safe from any thread."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._queued = 0
        self._is_open = False
        self._is_stopped = False
        self._changed = threading.Condition()

    def open(self) -> None:
        """The flow runs: from now on senders wait. Before, nobody would make room for them."""
        self._is_open = True

    def wait_and_take(self, count: int) -> bool:
        """Returns False when the flow has been stopped meanwhile."""
        with self._changed:
            while self._is_open and not self._is_stopped and self._queued >= self._capacity:
                self._changed.wait()
            self._queued += count
            return not self._is_stopped

    def give_back(self, count: int) -> None:
        with self._changed:
            self._queued = max(0, self._queued - count)
            self._changed.notify_all()

    def stop(self) -> None:
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()
