"""Durable appends per second on both databases: one submitter, and 64 at a time. Prints JSON.

.venv/bin/python -m bench.append [--seconds 3]
"""

import argparse
import asyncio
import json
import platform
import statistics
import tempfile
import time
from pathlib import Path

from server.jobs import events as e
from server.jobs.commands import Context, CreateJob, Graph, Observe
from server.jobs.ids import JobId
from server.store import Store, upgrade
from tests.postgres import running_postgres

CONTEXT = Context(actor="bench", request_id="0123456789abcdef")
ENGINE = e.EngineIdentity(4711, 123456789, "2f7bb5a2-0000-4000-8000-000000000000", "bench", "/run/bench")
SUBMITTERS = (1, 64, 512)


async def measure(url: str, seconds: float) -> dict[str, object]:
    upgrade(url)
    store = await Store.open(url)
    try:
        await _append(store, 8, 0.3, "warm-up")
        return {f"{n}_submitters": await _append(store, n, seconds, f"bench-{n}") for n in SUBMITTERS}
    finally:
        await store.close()


async def _append(store: Store, submitters: int, seconds: float, name: str) -> dict[str, float]:
    """Each submitter keeps one job moving, and waits for each event to be on disk before the next."""
    latencies: list[float] = []
    end = time.perf_counter() + seconds

    async def one(number: int) -> None:
        job_id = JobId(f"{name}-{number}")
        await store.submit(CreateJob(job_id=job_id, graph=Graph.of("json", "{}")), CONTEXT)
        started = e.EngineStarted(attempt=1, engine=ENGINE)
        await store.submit(Observe(job_id=job_id, incarnation=1, event=started), CONTEXT)
        news = (
            e.EngineReady(attempt=1, endpoints=("http://127.0.0.1:8080/example",)),
            e.EngineUnreachable(attempt=1, reason="no answer within 1 s"),
        )
        turn = 0
        while (start := time.perf_counter()) < end:
            appended = await store.submit(Observe(job_id=job_id, incarnation=1, event=news[turn % 2]), CONTEXT)
            assert len(appended.events) == 1
            latencies.append(time.perf_counter() - start)
            turn += 1

    start = time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(submitters)))
    return {
        "events_per_second": round(len(latencies) / (time.perf_counter() - start)),
        "median_ms": round(statistics.median(latencies) * 1000, 3),
        "p99_ms": round(statistics.quantiles(latencies, n=100)[98] * 1000, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    seconds = parser.parse_args().seconds
    results: dict[str, object] = {"machine": platform.platform()}
    with tempfile.TemporaryDirectory() as folder:
        results["sqlite"] = asyncio.run(measure(f"sqlite:///{Path(folder) / 'bench.db'}", seconds))
    with running_postgres() as server:
        results["postgres"] = asyncio.run(measure(server.new_database(), seconds))
    print(json.dumps({"append": results}, indent=2))


if __name__ == "__main__":
    main()
