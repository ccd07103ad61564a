"""The calls of units, as profiles see them, on their way from the threads of the flow to the profiler's."""

from collections import deque
from enum import StrEnum

import msgspec


class SliceName(StrEnum):
    OPEN = "OPEN"
    CLOSE = "CLOSE"
    PROCESS = "PROCESS"
    STREAM_OPEN = "STREAM_OPEN"
    STREAM_CLOSE = "STREAM_CLOSE"


class Slice(msgspec.Struct, frozen=True, gc=False):
    """One call, when it is over. `began` is Unix time and `lasted` a length, both in microseconds; `batch` is the
    number of buffers at one input; `sessions` are their ids, if they are wanted."""

    name: SliceName
    unit: str
    node: str
    began: int
    lasted: int
    batch: int = 0
    sessions: tuple[str, ...] = ()


class Slices:
    """Filled by any thread, emptied by one. Holds at most `capacity`; what comes beyond is counted in `lost`."""

    def __init__(self, capacity: int) -> None:
        self.lost = 0
        self._waiting: deque[Slice] = deque()
        self._capacity = capacity

    def add(self, slice: Slice) -> None:
        if len(self._waiting) < self._capacity:
            self._waiting.append(slice)
        else:
            self.lost += 1

    def take(self) -> list[Slice]:
        # not until it is empty: units may be faster than this loop
        return [self._waiting.popleft() for _ in range(len(self._waiting))]

    def close(self) -> None:
        """Nothing is kept from now on."""
        self._capacity = 0
        self._waiting.clear()
