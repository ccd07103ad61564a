"""How many engines may be starting at once, and which jobs wait for their turn."""

from collections import deque
from collections.abc import Callable

from server.jobs.ids import JobId
from server.runner.engines import Engine

SLOT_SECONDS = 2.0
"""How long an engine counts among those that are starting. One whose units take longer to open mostly waits, and a
few that hang would keep all others from starting."""


class StartSlots:
    """`wake` is called with a job that waited, when it may try again."""

    def __init__(self, count: int, wake: Callable[[JobId], None]) -> None:
        self._free = count
        self._wake = wake
        self._queue: deque[JobId] = deque()

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def take(self, job_id: JobId, *, goes_first: bool) -> bool:
        """False when all are taken: the job waits then, before all others if it `goes_first`."""
        if self._free == 0:
            (self._queue.appendleft if goes_first else self._queue.append)(job_id)
            return False
        self._free -= 1
        return True

    def free(self) -> None:
        self._free += 1
        if self._queue:
            self._wake(self._queue.popleft())

    def give_back(self, engine: Engine) -> None:
        """Frees the slot that this engine holds, if it does."""
        if engine.holds_slot:
            engine.holds_slot = False
            self.free()
