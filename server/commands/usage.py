"""What jobs take of the machine, from the server's metrics."""

import re
from dataclasses import dataclass
from time import monotonic

from server.commands.text import Cell

_SAMPLE = re.compile(r'^modelbox_job_(cpu_seconds_total|memory_bytes)\{job_id="([^"\\]*)"\} (\S+)$', re.M)
HEADS = ("CPU", "MEMORY")


@dataclass(frozen=True)
class Usage:
    """`taken_at`: by the monotonic clock. By job id: processor time in seconds, memory in bytes."""

    taken_at: float
    cpu: dict[str, float]
    memory: dict[str, float]

    @classmethod
    def of(cls, metrics: str) -> "Usage":
        found: dict[str, dict[str, float]] = {"cpu_seconds_total": {}, "memory_bytes": {}}
        for name, job_id, value in _SAMPLE.findall(metrics):
            found[name][job_id] = float(value)
        return cls(monotonic(), found["cpu_seconds_total"], found["memory_bytes"])


NO_USAGE = Usage(0.0, {}, {})


def cells(job_id: str, now: Usage, before: Usage) -> list[Cell]:
    """Share of one core since `before`, and memory; empty where they are not known."""
    share = ""
    seconds = now.cpu.get(job_id, -1.0) - before.cpu.get(job_id, float("inf"))
    if seconds >= 0 and now.taken_at > before.taken_at:
        share = f"{100 * seconds / (now.taken_at - before.taken_at):.0f}%"
    memory = now.memory.get(job_id)
    return [Cell(share), Cell("" if memory is None else size(memory))]


def size(number: float) -> str:
    """Bytes with three digits and a unit, such as 9.8M."""
    for unit in ("", "K", "M", "G"):
        if number < 1000:
            return f"{number:.3g}{unit}"
        number /= 1024
    return f"{number:.0f}T"
