"""What an engine costs: time from the start call to its first instruction and to ready, CPU until ready, memory.

    python bench/engines.py [--engines 50] [--compile]

Prints JSON; times in milliseconds (median, 95th percentile), memory in KiB per engine (median).
"""

import argparse
import asyncio
import json
import os
import platform
import socket
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from server.engines.driver import Ready
from server.engines.local import LocalDriver
from server.engines.protocol import EngineSpec
from server.flow.graph import compile_graph

GRAPH = """
[graph]
format = "graphviz"
graphconf = '''digraph demo {{
  receive[type=flowunit, flowunit=httpserver_sync_receive, device=cpu, endpoint="http://127.0.0.1:{port}/example"]
  reply[type=flowunit, flowunit=httpserver_sync_reply, device=cpu]
  receive:out_request_info -> reply:in_reply_info
}}'''
"""


def free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def cpu_ms(pid: int) -> float:
    """From schedstat, in nanoseconds of CPU of all threads: the ticks of /proc/PID/stat are too coarse."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e6


def memory(pid: int) -> dict[str, int]:
    fields = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, value = line.partition(":")
        fields[name] = int(value.split()[0])
    private = fields["Private_Clean"] + fields["Private_Dirty"]
    return {"pss": fields["Pss"], "uss": private, "rss": fields["Rss"]}


def summary(values: Sequence[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "median": round(statistics.median(ordered), 2),
        "p95": round(ordered[int(len(ordered) * 0.95) - 1], 2),
    }


async def measure(driver: LocalDriver, count: int, compile_in_engine: bool) -> dict[str, object]:
    started, ready, cpu = [], [], []
    begins: dict[str, float] = {}
    handles = []
    for number, port in enumerate(free_ports(count)):
        source = GRAPH.format(port=port)
        spec = EngineSpec(
            job_id=f"job{number}",
            incarnation=1,
            attempt=1,
            epoch=1,
            graph_format="toml",
            source=source,
            plan=None if compile_in_engine else compile_graph(source, "toml").to_json(),
        )
        begin = time.monotonic()
        handle = await driver.start(spec)
        started.append(1000 * (time.monotonic() - begin))
        news = await handle.news()
        assert isinstance(news, Ready), news
        ready.append(1000 * (time.monotonic() - begin))
        cpu.append(cpu_ms(handle.identity.pid))
        handles.append(handle)
        begins[spec.job_id] = begin
    born = [1000 * (hello.born_at - begins[hello.job_id]) for hello in await driver.list()]
    used = [memory(handle.identity.pid) for handle in handles]
    begin = time.monotonic()
    await asyncio.gather(*(handle.stop(1) for handle in handles))
    stopped = 1000 * (time.monotonic() - begin)
    return {
        "start_answered_ms": summary(started),
        "first_instruction_ms": summary(born),
        "ready_ms": summary(ready),
        "cpu_until_ready_ms": summary(cpu),
        "memory_kib": {key: statistics.median(each[key] for each in used) for key in ("pss", "uss", "rss")},
        "stop_all_ms": round(stopped, 1),
    }


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--engines", type=int, default=50)
    parser.add_argument("--compile", action="store_true", help="let each engine compile its graph")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        driver = LocalDriver(Path(directory))
        begin = time.monotonic()
        await driver.release("nobody")
        host_ms = 1000 * (time.monotonic() - begin)
        try:
            result = await measure(driver, options.engines, options.compile)
        finally:
            await driver.shutdown()
            await driver.close()
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}"
    print(json.dumps({"machine": machine, "engines": options.engines, "host_start_ms": round(host_ms), **result}))


if __name__ == "__main__":
    asyncio.run(main())
