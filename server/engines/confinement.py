"""What holds an engine and all that it starts to its limits, where no cgroup does: see decision 10."""

import contextlib
import math
import os
import resource
from collections.abc import Collection
from pathlib import Path

from msgspec.structs import replace

from server.jobs.limits import NO_LIMITS, Limits

_STACKS_ALLOWED = 32
"""Threads whose stacks a job with a memory limit may reserve without having its memory counted for them."""
_STACK_BYTES = 8 * 1024 * 1024
_OOM_SCORE = 500
"""Of 1000: when the machine is out of memory, an engine goes before its host and the server."""


def rations_of(limits: Limits, controllers: Collection[str]) -> Limits:
    """What the host itself has to look after, because no cgroup controller does."""
    return replace(
        NO_LIMITS,
        memory=0 if "memory" in controllers else limits.memory,
        threads=0 if "pids" in controllers else limits.threads,
    )


def confine(limits: Limits, controllers: Collection[str]) -> None:
    """Binds this process, and what it will start, as far as `controllers` of its cgroup do not.

    Raises: OSError.
    """
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(_OOM_SCORE))
    if limits.nice:
        os.nice(limits.nice)
    if limits.open_files:
        _lower(resource.RLIMIT_NOFILE, limits.open_files)
    if limits.cpu and "cpu" not in controllers:
        os.sched_setaffinity(0, _some_cpus(limits.cpu))
    if limits.memory and "memory" not in controllers:
        stacks = (limits.threads or _STACKS_ALLOWED) * _STACK_BYTES
        # what it has mapped already it shares with its host
        _lower(resource.RLIMIT_DATA, _data_bytes() + limits.memory + stacks)


def _lower(which: int, most: int) -> None:
    _, hard = resource.getrlimit(which)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(which, (most, most))


def _some_cpus(cores: float) -> set[int]:
    allowed = sorted(os.sched_getaffinity(0))
    # others for the next engine, so that not all of them sit on the first cores
    first = os.getpid() % len(allowed)
    return set((allowed[first:] + allowed[:first])[: math.ceil(cores)])


def _data_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status has no VmData")
