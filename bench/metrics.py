"""What /metrics costs: a scrape with many jobs, and counting a request. `python -m bench.metrics [JOBS]`"""

import re
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import psutil

from bench.load import requests_per_second
from bench.report import print_report, summary
from server.api.request_counts import RequestCounts
from tests.installation import Installation, echo_flow, free_port

SCRAPES = 10
PAUSE_SECONDS = 1.2
"""Between two scrapes: answers of the last second stand."""
REST_SECONDS = 10.0
NOTES = 200_000


def main() -> None:
    jobs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    figures: dict[str, Any] = {"counting a request, µs": round(note_microseconds(), 2)}
    with tempfile.TemporaryDirectory() as folder, Installation(Path(folder) / "state") as server:
        figures["a status request as a whole, µs of the API's processor time"] = round(
            request_microseconds(server.start()), 1
        )
    with tempfile.TemporaryDirectory() as folder, Installation(Path(folder) / "state") as server:
        server.start()
        start_jobs(server, jobs)
        figures |= scrape_figures(server, jobs)
    print_report("metrics", figures)


def request_microseconds(server: Installation) -> float:
    server.create("one-job", echo_flow(server.flow_port))
    before = requests_and_seconds(server)
    requests_per_second(f"http://127.0.0.1:{server.port}{server.base}/one-job", 8)
    time.sleep(PAUSE_SECONDS)
    requests, seconds = (now - then for now, then in zip(requests_and_seconds(server), before, strict=True))
    return seconds / requests * 1e6


def requests_and_seconds(server: Installation) -> tuple[float, float]:
    """How many status requests the API has answered, and what processor time it has taken: by its own account."""
    text = server.http.get("/metrics").text
    route = re.escape(f"{server.base}/{{job_id}}")
    counted = re.findall(rf'^modelbox_api_requests_total{{.*route="{route}".*}} (\S+)$', text, re.M)
    (seconds,) = re.findall(r'^modelbox_process_cpu_seconds_total{process="api"} (\S+)$', text, re.M)
    return sum(map(float, counted)), float(seconds)


def start_jobs(server: Installation, jobs: int) -> None:
    port = free_port()
    for n in range(jobs):
        server.create_async(f"job-{n}", echo_flow(port, f"/{n}"))
    while sum(job["job_status"] == "RUNNING" for job in server.list_all().values()) < jobs:
        time.sleep(0.5)


def scrape_figures(server: Installation, jobs: int) -> dict[str, Any]:
    before = cpu_seconds(server)
    time.sleep(REST_SECONDS)
    at_rest = {part: (now - before[part]) / REST_SECONDS for part, now in cpu_seconds(server).items()}
    seconds, answers = [], []
    first = time.perf_counter()
    answers.append(server.http.get("/metrics"))
    first = time.perf_counter() - first
    before = cpu_seconds(server)
    began = time.perf_counter()
    for _ in range(SCRAPES):
        time.sleep(PAUSE_SECONDS)
        asked = time.perf_counter()
        answers.append(server.http.get("/metrics"))
        seconds.append(time.perf_counter() - asked)
    took = time.perf_counter() - began
    used = {
        part: (now - before[part] - at_rest[part] * took) / SCRAPES * 1000
        for part, now in cpu_seconds(server).items()
    }
    return {
        "jobs": jobs,
        "first scrape, ms": round(first * 1000),
        "scrape": summary(seconds),
        "samples": len(re.findall(rb"^modelbox", answers[-1].content, re.M)),
        "bytes": len(answers[-1].content),
        "engines that did not answer in time": [told(answer, "modelbox_engines_silent") for answer in answers],
        "processor time of a scrape, ms": {part: round(ms, 1) for part, ms in used.items()},
        "at rest, % of a core": {part: round(share * 100, 2) for part, share in at_rest.items()},
    }


def told(answer: httpx.Response, name: str) -> float | None:
    found = re.search(rf"^{name} (\S+)$", answer.text, re.M)
    return float(found[1]) if found else None


def cpu_seconds(server: Installation) -> dict[str, float]:
    """Of each part so far; of all engines together."""
    parts: dict[str, float] = {}
    for pid, title in server.processes().items():
        part = title.split()[1]
        times = psutil.Process(pid).cpu_times()
        parts[part] = parts.get(part, 0.0) + times.user + times.system
    return parts


def note_microseconds() -> float:
    counts = RequestCounts(["history"])
    request: Any = SimpleNamespace(
        method="GET", route=SimpleNamespace(path="v1/modelbox/job"), match_info={"rest": "flow-example"}
    )
    began = time.perf_counter()
    for _ in range(NOTES):
        counts.note(request, 200, 0.0001)
    return (time.perf_counter() - began) / NOTES * 1e6


if __name__ == "__main__":
    main()
