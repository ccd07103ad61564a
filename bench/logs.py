"""What logs cost: lines a second that a unit can log, what a flood does to the neighbours, how fast a log is read.

    python -m bench.logs

Times in milliseconds; "quiet" is an engine whose flow says nothing.
"""

import os
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx

from bench.report import print_report
from tests.e2e.talker import talker
from tests.installation import Installation, echo_flow, free_port

LINES = 200_000
REQUESTS = 1000
LOGS = f"""
import time
begin = time.monotonic()
for n in range({LINES}):
    modelbox.info("line", n)
    if n % 1000 == 0:
        time.sleep(0)
seconds = time.monotonic() - begin
open(RESULT, "w").write(str({LINES} / seconds))
"""
FLOOD = """
import os, time
block = (b"y" * 99 + b"\\n") * 1000
while True:
    os.write(1, block)
    time.sleep(0.001)
"""


def latencies(url: str, count: int) -> dict[str, float]:
    taken = []
    with httpx.Client(trust_env=False, timeout=30) as client:
        for _ in range(count):
            begin = time.perf_counter()
            client.get(url).raise_for_status()
            taken.append(1000 * (time.perf_counter() - begin))
            time.sleep(0.001)
    taken.sort()
    return {"median": round(statistics.median(taken), 2), "p99": round(taken[int(count * 0.99)], 2)}


def cpu_seconds(pid: int) -> float:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def quiet_cost(server: Installation) -> dict[str, float]:
    """Of an engine that does nothing for five seconds."""
    (pid,) = server.engines()["quiet"]
    before = cpu_seconds(pid)
    time.sleep(5)
    return {"cpu_ms_per_second": round(1000 * (cpu_seconds(pid) - before) / 5, 3)}


def lines_a_second(server: Installation, folder: Path) -> int:
    result = folder / "result"
    server.create("logs", talker(folder, free_port(), f"RESULT = {str(result)!r}\n{LOGS}"))
    while not result.exists() or not result.read_text():
        time.sleep(0.05)
    server.delete("logs")
    return round(float(result.read_text()))


def read_speed(server: Installation, **query: Any) -> dict[str, float]:
    size, begin = 0, time.perf_counter()
    with server.http.stream("GET", f"{server.base}/logs/log", params=query) as answer:
        for piece in answer.iter_bytes():
            size += len(piece)
    seconds = time.perf_counter() - begin
    return {"megabytes": round(size / 1e6, 1), "ms": round(1000 * seconds, 1)}


def flooded(server: Installation, folder: Path, neighbour: str, status: str) -> dict[str, Any]:
    server.create("floods", talker(folder, free_port(), FLOOD))
    logs = server.state_dir / "logs" / "jobs" / "floods"
    largest, over = 0, threading.Event()

    def watch() -> None:
        nonlocal largest
        while not over.wait(0.01):
            size = 0
            for name in os.listdir(logs):
                try:
                    size += (logs / name).stat().st_size
                except FileNotFoundError:
                    continue
            largest = max(largest, size)

    watcher = threading.Thread(target=watch)
    watcher.start()
    (pid,) = server.engines()["floods"]
    before, begin = Path(f"/proc/{pid}/io").read_text(), time.monotonic()
    found: dict[str, Any] = {"request": latencies(neighbour, REQUESTS), "status": latencies(status, REQUESTS)}
    found["megabytes_a_second"] = round((written(Path(f"/proc/{pid}/io").read_text()) - written(before)) / 1e6)
    found["megabytes_a_second"] = round(found["megabytes_a_second"] / (time.monotonic() - begin))
    over.set()
    watcher.join()
    server.delete("floods")
    return found | {"largest_megabytes_on_disk": round(largest / 1e6)}


def written(io: str) -> int:
    return int(io.split("wchar: ")[1].split()[0])


def main() -> None:
    with tempfile.TemporaryDirectory() as directory, Installation(Path(directory) / "state") as server:
        server.start()
        port = free_port()
        server.create("quiet", echo_flow(port))
        neighbour = f"http://127.0.0.1:{port}/example"
        status = f"http://127.0.0.1:{server.port}{server.base}/quiet"
        figures: dict[str, Any] = {
            "quiet": quiet_cost(server),
            "unit_lines_a_second": lines_a_second(server, Path(directory)),
            "read_whole": read_speed(server),
            "read_json": read_speed(server, format="json"),
            "read_level_error": read_speed(server, level="error"),
            "read_tail_100": read_speed(server, tail=100),
            "read_tail_100_of_level_info": read_speed(server, tail=100, level="info"),
            "without_flood": {"request": latencies(neighbour, REQUESTS), "status": latencies(status, REQUESTS)},
            "with_flood": flooded(server, Path(directory), neighbour, status),
        }
    print_report("logs", figures)


if __name__ == "__main__":
    main()
