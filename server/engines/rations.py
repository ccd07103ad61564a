"""Looks now and then whether engines keep to the limits that no cgroup enforces."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from server.engines.protocol import EngineHead
from server.engines.tree import Usage, descendants_of, usage_of
from server.flow.status import StatusCode
from server.jobs.limits import NO_LIMITS, Limits

LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Excess:
    """In the words of a job's error. `of_memory`: it is memory that was too much."""

    reason: str
    of_memory: bool


def excess_of(limits: Limits, usage: Usage) -> Excess | None:
    if limits.memory and usage.memory > limits.memory:
        words = f"the job's processes hold {usage.memory:,} bytes, its limit is {limits.memory:,}"
        return Excess(f"{StatusCode.NOMEM.text}, {words}", of_memory=True)
    if limits.threads and usage.threads > limits.threads:
        words = f"the job's processes have {usage.threads} threads, its limit is {limits.threads}"
        return Excess(f"{StatusCode.EDQUOT.text}, {words}", of_memory=False)
    return None


class Rations:
    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._watched: dict[int, EngineHead] = {}
        self._due = 0.0

    def watch(self, head: EngineHead) -> None:
        if head.rations == NO_LIMITS:
            return
        if not self._watched:
            self._due = self._now() + LOOK_SECONDS
        self._watched[head.identity.pid] = head

    def forget(self, pid: int) -> None:
        self._watched.pop(pid, None)

    @property
    def seconds_left(self) -> float | None:
        """Until the next look; None when there is nobody to look at."""
        return max(0.0, self._due - self._now()) if self._watched else None

    def exceeded(self) -> list[tuple[EngineHead, Excess]]:
        """Who takes more than its ration; nothing before the next look is due."""
        if self.seconds_left != 0.0:
            return []
        self._due = self._now() + LOOK_SECONDS
        looked = [(head, excess_of(head.rations, _usage(head))) for head in self._watched.values()]
        return [(head, excess) for head, excess in looked if excess is not None]


def _usage(head: EngineHead) -> Usage:
    pid = head.identity.pid
    return usage_of([pid, *(each.pid for each in descendants_of(pid))], head.rations.memory)
