"""What one receive unit counts of its requests."""

from server.flow.counters import HttpCounters
from server.tally import REQUEST_SECONDS, Tally

MOST_STATUSES = 32
"""Units choose the statuses; of more different ones than this, the rest is counted as OTHER."""
OTHER = 0


class HttpTally:
    """On the event loop."""

    def __init__(self) -> None:
        self._statuses: dict[int, int] = {}
        self._durations = Tally(REQUEST_SECONDS)

    def note(self, status: int, seconds: float) -> None:
        if status not in self._statuses and len(self._statuses) >= MOST_STATUSES:
            status = OTHER
        self._statuses[status] = self._statuses.get(status, 0) + 1
        self._durations.note(seconds)

    def read(self, in_flight: int) -> HttpCounters:
        return HttpCounters(dict(self._statuses), self._durations.read(), in_flight)
