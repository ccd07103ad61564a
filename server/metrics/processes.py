"""What a process of the server tells of itself."""

from collections.abc import Mapping

import psutil

from server.metrics import of_server as m
from server.metrics.family import Samples
from server.tally import Durations


def add_process(samples: Samples, name: str) -> None:
    """The calling process, under this name."""
    process, labels = psutil.Process(), {"process": name}
    with process.oneshot():
        times = process.cpu_times()
        samples.add(m.PROCESS_CPU, times.user + times.system, labels)
        samples.add(m.PROCESS_MEMORY, process.memory_info().rss, labels)
        samples.add(m.PROCESS_FDS, process.num_fds(), labels)
        samples.add(m.PROCESS_START, process.create_time(), labels)


def add_database(samples: Samples, process: str, waiting: int, times: Mapping[str, Durations]) -> None:
    """`waiting`: how much waits to be written."""
    samples.add(m.DATABASE_WAITING, waiting, {"process": process})
    for call, durations in times.items():
        samples.add_durations(m.DATABASE_SECONDS, durations, {"process": process, "call": call})


def add_follower(samples: Samples, process: str, follower: str, position: int, head: int | None) -> None:
    """`head`: the log's last position, None when that is not known."""
    labels = {"process": process, "follower": follower}
    samples.add(m.FOLLOWER_POSITION, position, labels)
    if head is not None:
        samples.add(m.FOLLOWER_LAG, max(head - position, 0), labels)
