"""What engines, with all that they started, take of the machine."""

import os
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from server.engines.tree import anonymous_bytes, descendants_of, private_bytes
from server.jobs.events import EngineIdentity

MEMORY_SECONDS = 300.0
"""How long an exact reading of a process's memory stands while the cheap bound on it is the same: the exact one
takes half a millisecond."""

_UTIME, _STIME, _CUTIME, _CSTIME, _THREADS, _START_TIME = 11, 12, 13, 14, 17, 19
"""Places in /proc/PID/stat after the command name: fields 14 to 17, 20 and 22."""


class JobUsage(msgspec.Struct, frozen=True, kw_only=True):
    """`memory`: bytes that these processes share with nobody."""

    cpu_seconds: float
    memory: int
    fds: int
    threads: int
    processes: int


class _Memory(msgspec.Struct, frozen=True):
    bound: int
    private: int
    read_at: float


class UsageReader:
    """Used by one thread at a time. Remembers of each engine what it last read."""

    def __init__(self) -> None:
        self._memory: dict[int, _Memory] = {}
        self._last: dict[EngineIdentity, JobUsage] = {}

    def read(self, engines: Iterable[EngineIdentity], deadline: float) -> dict[EngineIdentity, JobUsage]:
        """Of those that live. What could not be read by `deadline`, a time.monotonic(), is as it was before."""
        usages: dict[EngineIdentity, JobUsage] = {}
        seen: dict[int, _Memory] = {}
        for engine in engines:
            is_late = time.monotonic() > deadline
            usage = self._last.get(engine) if is_late else self._usage(engine, seen)
            if usage is not None:
                usages[engine] = usage
        self._memory, self._last = seen, usages
        return usages

    def _usage(self, engine: EngineIdentity, seen: dict[int, _Memory]) -> JobUsage | None:
        stat = _stat(engine.pid)
        if stat is None or int(stat[_START_TIME]) != engine.start_time:
            return None
        pids = [engine.pid, *(process.pid for process in descendants_of(engine.pid))]
        stats = [stat, *(found for pid in pids[1:] if (found := _stat(pid)) is not None)]
        # children that were waited for are in their parents' times
        ticks = sum(int(one[n]) for one in stats for n in (_UTIME, _STIME, _CUTIME, _CSTIME))
        return JobUsage(
            cpu_seconds=ticks / os.sysconf("SC_CLK_TCK"),
            memory=sum(self._private(pid, seen) for pid in pids),
            fds=sum(map(_fds, pids)),
            threads=sum(int(one[_THREADS]) for one in stats),
            processes=len(stats),
        )

    def _private(self, pid: int, seen: dict[int, _Memory]) -> int:
        bound, now = anonymous_bytes(pid), time.monotonic()
        known = self._memory.get(pid)
        if known is None or known.bound != bound or now - known.read_at > MEMORY_SECONDS:
            known = _Memory(bound, private_bytes(pid), now)
        seen[pid] = known
        return known.private


def _stat(pid: int) -> list[bytes] | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    return stat[stat.rindex(b")") + 2 :].split()


def _fds(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0
