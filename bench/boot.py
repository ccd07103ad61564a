"""Server start with 0, 100 and 1,000 jobs, memory per job, CPU at rest. `python -m bench.boot [JOBS ...]`

Cold: everything was killed, each engine starts anew. Warm: the server was killed, engines are adopted; meanwhile
clients ask flows without a pause, each time over a new connection.
"""

import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx

from bench.engines import cpu_ms
from bench.report import print_report
from tests.installation import Installation, echo_flow

COUNTS = (0, 100, 1000)
REST_SECONDS = 30.0
FIRST_PORT = 20_000
"""Below the range that the kernel takes ports for outgoing connections from."""


def main() -> None:
    counts = [int(arg) for arg in sys.argv[1:]] or list(COUNTS)
    print_report("boot", {f"{count} jobs": measure(count) for count in counts})


def measure(count: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder, Installation(Path(folder) / "state") as server:
        server.start()
        figures: dict[str, float] = {}
        started = time.perf_counter()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda n: create(server, n), range(count)))
        figures["create all, s"] = round(time.perf_counter() - started, 2)
        if count:
            figures |= memory(server, count)
        figures["CPU at rest, % of a core"] = cpu_at_rest(server)
        with asked_all_the_time(count) as answers:
            server.kill_server()
            figures["warm start until all RUNNING, s"] = timed_start(server, count)
        figures |= answers
        server.kill_everything()
        figures["cold start until all RUNNING, s"] = timed_start(server, count)
        return figures


def create(server: Installation, n: int) -> None:
    answer = server.create(f"job-{n}", echo_flow(FIRST_PORT + n))
    assert answer.status_code == 201, answer.text


def timed_start(server: Installation, count: int) -> float:
    started = time.perf_counter()
    server.start()
    while sum(job["job_status"] == "RUNNING" for job in server.list_all().values()) < count:
        time.sleep(0.02)
    return round(time.perf_counter() - started, 2)


def cpu_at_rest(server: Installation) -> float:
    """Of all processes of the installation together, while nobody asks anything."""
    time.sleep(5.0)  # what creating has left to do
    before, started = cpu_of_all(server), time.perf_counter()
    time.sleep(REST_SECONDS)
    return round((cpu_of_all(server) - before) / 10 / (time.perf_counter() - started), 2)


def cpu_of_all(server: Installation) -> float:
    return sum(cpu_ms(pid) for pid in server.processes())


@contextmanager
def asked_all_the_time(count: int) -> Iterator[dict[str, float]]:
    """How many requests to the flows were answered, and how many were not."""
    answers = {"requests answered meanwhile": 0.0, "requests refused meanwhile": 0.0}
    done = threading.Event()

    def ask() -> None:
        n = 0
        while count and not done.is_set():
            n = (n + 7) % count
            try:
                httpx.post(f"http://127.0.0.1:{FIRST_PORT + n}/example", content=b"x", trust_env=False)
                answers["requests answered meanwhile"] += 1
            except httpx.TransportError:
                answers["requests refused meanwhile"] += 1

    client = threading.Thread(target=ask)
    client.start()
    try:
        yield answers
    finally:
        done.set()
        client.join()


def memory(server: Installation, count: int) -> dict[str, float]:
    """MB. `private` is what would come back if the engine ended, `proportional` counts shared pages by halves."""
    private = proportional = 0
    for pids in server.engines().values():
        for pid in pids:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                name, _, value = line.partition(":")
                if name in ("Private_Clean", "Private_Dirty"):
                    private += int(value.split()[0])
                elif name == "Pss":
                    proportional += int(value.split()[0])
    return {
        "memory per engine, private, MB": round(private / count / 1024, 2),
        "memory per engine, proportional, MB": round(proportional / count / 1024, 2),
    }


if __name__ == "__main__":
    main()
