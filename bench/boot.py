"""Server start with 0, 100 and 1,000 jobs, and memory per job. `python -m bench.boot [JOBS ...]`

Cold: everything was killed, each engine starts anew. Warm: the server was killed, engines are adopted.
"""

import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.report import print_report
from tests.installation import Installation, echo_flow

COUNTS = (0, 100, 1000)
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
        server.kill_server()
        figures["warm start until all RUNNING, s"] = timed_start(server, count)
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
