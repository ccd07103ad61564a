"""`performance_*.json`: what the process uses, and how long its units take (spec 9)."""

import os
from collections import deque
from collections.abc import Iterable
from time import perf_counter_ns, process_time_ns, time_ns

import msgspec

from server.flow.profile.files import ProfileFolder
from server.flow.profile.slices import Slice, SliceName


class CpuUsage(msgspec.Struct, frozen=True):
    """`timestamp` in microseconds since 1970; `percentage` of all CPUs of the machine, since the sample before."""

    timestamp: int
    percentage: float


class DeviceMemory(msgspec.Struct, frozen=True):
    device: str
    device_mem: int
    device_mem_percentage: float


class MemoryUsage(msgspec.Struct, frozen=True):
    """What is resident, in bytes and as a part of the machine's memory. The memory of cpu devices is the same."""

    timestamp: int
    host_mem: int
    host_mem_percentage: float
    device_memory: tuple[DeviceMemory, ...]


class UnitPerformance(msgspec.Struct, frozen=True):
    """`process_latency` is the mean of all calls of `process` since the flow began, in microseconds. The rest is
    ours: the longest of them, their number, and that of their buffers."""

    flow_unit_name: str
    process_latency: int
    process_latency_max: int
    process_count: int
    buffer_count: int


class PerformanceReport(msgspec.Struct, frozen=True):
    """`graph` and `process_id` are ours: files of several flows may lie in one folder."""

    cpu_usage: list[CpuUsage]
    memory_usage: list[MemoryUsage]
    flow_unit_performance: list[UnitPerformance]
    graph: str
    process_id: int


class _Total:
    __slots__ = ("buffers", "calls", "lasted", "longest")

    def __init__(self) -> None:
        self.calls = self.buffers = self.lasted = self.longest = 0


class Performance:
    """Samples since the last file, at most `max_samples`, and totals of the whole run."""

    def __init__(self, graph: str, devices: Iterable[str], max_samples: int) -> None:
        """`devices`: as `cpu:0`."""
        self._graph = graph
        self._devices = tuple(devices)
        self._cpu: deque[CpuUsage] = deque(maxlen=max_samples)
        self._memory: deque[MemoryUsage] = deque(maxlen=max_samples)
        self._totals: dict[str, _Total] = {}
        self._machine_memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        self._last = (perf_counter_ns(), process_time_ns())

    def note(self, slices: Iterable[Slice]) -> None:
        for each in slices:
            if each.name is SliceName.PROCESS:
                total = self._totals.get(each.unit)
                if total is None:
                    total = self._totals[each.unit] = _Total()
                total.calls += 1
                total.buffers += each.batch
                total.lasted += each.lasted
                total.longest = max(total.longest, each.lasted)

    def sample(self) -> None:
        now = time_ns() // 1000
        self._cpu.append(CpuUsage(now, self._cpu_percentage()))
        resident = _resident_bytes()
        percentage = round(100 * resident / self._machine_memory, 2)
        devices = tuple(DeviceMemory(device, resident, percentage) for device in self._devices)
        self._memory.append(MemoryUsage(now, resident, percentage, devices))

    def write(self, folder: ProfileFolder) -> None:
        """Writes what came since the last file, and forgets it even when that fails. Raises: OSError."""
        report = self._report()
        self._cpu.clear()
        self._memory.clear()
        file = folder.begin("performance")
        try:
            file.write(msgspec.json.encode(report))
            folder.publish(file)
        except OSError:
            file.discard()
            raise

    def _report(self) -> PerformanceReport:
        units = [
            UnitPerformance(name, total.lasted // total.calls, total.longest, total.calls, total.buffers)
            for name, total in sorted(self._totals.items())
        ]
        return PerformanceReport(list(self._cpu), list(self._memory), units, self._graph, os.getpid())

    def _cpu_percentage(self) -> float:
        wall, used = perf_counter_ns(), process_time_ns()
        before, self._last = self._last, (wall, used)
        passed = max(1, wall - before[0]) * (os.cpu_count() or 1)
        return min(100.0, round(100 * (used - before[1]) / passed, 2))


def _resident_bytes() -> int:
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
