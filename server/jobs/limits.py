"""What one job may take of the machine."""

from typing import Annotated

import msgspec

MEMORY_MIN = 16 * 1024 * 1024
OPEN_FILES_MIN = 64
THREADS_MIN = 8
"""Below these no engine starts, so that asking for less is a mistake; 0 is no limit."""

CORES_MAX = 4096.0

Bytes = Annotated[int, msgspec.Meta(ge=0, le=1 << 60)]
Cores = Annotated[float, msgspec.Meta(ge=0, le=CORES_MAX)]
Number = Annotated[int, msgspec.Meta(ge=0, le=1 << 30)]
Nice = Annotated[int, msgspec.Meta(ge=0, le=19)]


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """0 means no limit. `memory`: bytes of all the job's processes together. `cpu`: cores' worth of time, 0.5 is
    half of one. `open_files`: descriptors of each process. `nice`: how far it steps back for others, 0 to 19.
    `threads`: of all its processes together. Decision 10 says what enforces each.

    Raises (on conversion): msgspec.ValidationError, for a limit below what an engine needs to start.
    """

    memory: Bytes = 0
    cpu: Cores = 0.0
    open_files: Number = 0
    nice: Nice = 0
    threads: Number = 0

    def __post_init__(self) -> None:
        for name, least in (("memory", MEMORY_MIN), ("open_files", OPEN_FILES_MIN), ("threads", THREADS_MIN)):
            if 0 < getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, or 0 for no limit")
        if 0 < self.cpu < 0.01:
            raise ValueError("cpu must be at least 0.01 cores, or 0 for no limit")


NO_LIMITS = Limits()
