"""A page of a list of 10,000 jobs. `python -m bench.list [JOBS]`

An API alone, on a database that was filled beforehand: no engine runs.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import httpx

from bench.report import print_report, summary
from server.jobs import events as e
from server.jobs.commands import Command, Context, CreateJob, Graph, Observe
from server.jobs.ids import JobId
from server.jobs.options import JobOptions
from server.store import Store, upgrade
from tests.installation import Installation
from tests.parts import Parts

JOBS = 10_000
AT_ONCE = 500
REPEATS = 50
PAGES = {
    "first page": "",
    "first page, three fields": "fields=job_id,job_status,job_error_msg",
    "page of 1,000": "limit=1000",
    "newest first": "sort=-created",
    "last changed first, failed only": "sort=-changed&status=FAILED",
    "text in id or error": "text=job-77",
    "by label": "label=site=north",
    "by two labels, one of them absent": "label=site&label=!team",
}


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else JOBS
    figures: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        installation = Installation(Path(folder) / "state")
        parts = Parts(installation)
        try:
            asyncio.run(fill(f"sqlite:///{installation.state_dir / 'modelbox.db'}", count))
            api = parts.api("")
            for name, query in PAGES.items():
                figures[name] = summary([timed(api, query) for _ in range(REPEATS)])
            figures["all pages of 1,000 one after the other, s"] = all_pages(api)
        finally:
            parts.end()
    print_report(f"list of {count} jobs", figures)


async def fill(url: str, count: int) -> None:
    upgrade(url)
    store = await Store.open(url)
    for first in range(0, count, AT_ONCE):
        commands: list[Command] = []
        for n in range(first, min(first + AT_ONCE, count)):
            job_id = JobId(f"job-{n}")
            labels = {"site": ("north", "south")[n % 2]} | ({"team": f"t{n % 50}"} if n % 5 else {})
            options = JobOptions(labels=labels)
            commands.append(CreateJob(job_id=job_id, graph=Graph.of("json", "{}"), options=options))
            if n % 3 == 0:
                failed = e.EngineFailed(attempt=1, error=f"Bad config, unit {n} cannot be opened", failures=1)
                commands.append(Observe(job_id=job_id, incarnation=1, event=failed))
        await store.submit_all(commands, Context(actor="bench"))
    await store.close()


def timed(api: httpx.Client, query: str) -> float:
    started = time.perf_counter()
    answer = api.get(f"/v1/modelbox/jobs?{query}")
    taken = time.perf_counter() - started
    assert answer.status_code == 200, answer.text
    return taken


def all_pages(api: httpx.Client) -> float:
    started = time.perf_counter()
    cursor: str | None = ""
    while cursor is not None:
        suffix = f"&cursor={cursor}" if cursor else ""
        cursor = api.get(f"/v1/modelbox/jobs?limit=1000{suffix}").json()["next"]
    return round(time.perf_counter() - started, 2)


if __name__ == "__main__":
    main()
