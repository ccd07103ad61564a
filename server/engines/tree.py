"""Everything that a process has started, and what all of that takes of the machine."""

import asyncio
import os
import signal as signals
import time
from dataclasses import dataclass
from pathlib import Path

from server.engines.identity import is_alive, signal, start_time_of
from server.jobs.events import EngineIdentity

_LOOK_SECONDS = 0.01


@dataclass(frozen=True)
class Started:
    """A process that was somebody's descendant when it was looked at."""

    pid: int
    start_time: int

    def signal(self, number: signals.Signals) -> bool:
        """False when it is gone."""
        try:
            pidfd = os.pidfd_open(self.pid)
        except OSError:
            return False
        try:
            # checked after opening: from here on the descriptor cannot come to mean another process
            if start_time_of(self.pid) != self.start_time:
                return False
            signals.pidfd_send_signal(pidfd, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(pidfd)
        return True

    @property
    def is_alive(self) -> bool:
        return start_time_of(self.pid, living=True) == self.start_time


def children_of(pid: int) -> list[int]:
    """Of all its threads; zombies are among them."""
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for thread in threads:
        try:
            found += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_bytes().split())
        except OSError:
            continue
    return found


def descendants_of(pid: int) -> list[Started]:
    """What lives of all that `pid` has started, whatever session it is in. Complete when `pid` is a child
    subreaper, and as of one moment only as far as nobody forks meanwhile."""
    found: list[Started] = []
    unseen = children_of(pid)
    while unseen:
        child = unseen.pop()
        start_time = start_time_of(child, living=True)
        if start_time is not None:
            found.append(Started(child, start_time))
        unseen += children_of(child)
    return found


def signal_tree(identity: EngineIdentity, number: signals.Signals) -> None:
    """To that very process and all that it has started. Nothing happens when it is gone."""
    if not is_alive(identity):
        return
    below = descendants_of(identity.pid)
    signal(identity, number)
    for process in below:
        process.signal(number)


async def end_descendants(pid: int, patience: float) -> None:
    """SIGTERM to all that `pid` has started, SIGKILL to what is left `patience` seconds later."""
    below = descendants_of(pid)
    for process in below:
        process.signal(signals.SIGTERM)
    deadline = time.monotonic() + patience
    while any(process.is_alive for process in below) and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(_LOOK_SECONDS)
    # anew: some may have started others meanwhile
    for process in descendants_of(pid):
        process.signal(signals.SIGKILL)


@dataclass(frozen=True)
class Usage:
    """`memory`: bytes."""

    memory: int
    threads: int


def usage_of(pids: list[int], memory_matters_above: int) -> Usage:
    """Of these processes together. Memory is what is theirs alone: an engine shares much with its host, and with
    its own forks. Exact only above `memory_matters_above`; it is expensive to tell, so that an upper bound
    is taken where that will do."""
    bound = sum(map(anonymous_bytes, pids))
    memory = sum(map(private_bytes, pids)) if bound > memory_matters_above else bound
    return Usage(memory, sum(map(_threads, pids)))


def anonymous_bytes(pid: int) -> int:
    """Memory behind which no file is: cheap to tell, and at least as much as is the process's alone."""
    try:
        _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_bytes().split()
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")


def private_bytes(pid: int) -> int:
    """Memory that the process shares with nobody."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    fields = {line.split(":")[0]: line.split()[1] for line in lines[1:]}
    return 1024 * sum(int(fields.get(name, 0)) for name in ("Private_Dirty", "Swap"))


def _threads(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return 0
