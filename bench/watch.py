"""An event on its way to 1,000 watchers, and what a status costs meanwhile. `python -m bench.watch [WATCHERS]`

An API alone: no engine runs.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import httpx

from bench.report import print_report, summary
from tests.installation import Installation, bad_flow
from tests.parts import Parts

WATCHERS = 1000
EVENTS = 20
BUSY_EVENTS = 200
REQUEST = b"GET /v1/modelbox/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else WATCHERS
    with tempfile.TemporaryDirectory() as folder:
        parts = Parts(Installation(Path(folder) / "state"))
        try:
            figures = asyncio.run(measure(parts.api(""), count))
        finally:
            parts.end()
    print_report(f"{count} watchers", figures)


async def measure(api: httpx.Client, count: int) -> dict[str, object]:
    async with httpx.AsyncClient(base_url=api.base_url, trust_env=False, timeout=30) as http:
        figures: dict[str, object] = {"status, nobody watches": summary([await status(http) for _ in range(200)])}
        port = api.base_url.port
        watchers = [await asyncio.open_connection("127.0.0.1", port) for _ in range(count)]
        for _, writer in watchers:
            writer.write(REQUEST)
        await asyncio.gather(*(reader.readuntil(b"id: ") for reader, _ in watchers))
        taken: list[float] = []
        for n in range(EVENTS):
            started = time.perf_counter()
            await create(http, f"job-{n}")
            await asyncio.gather(*(reader.readuntil(b'"why":') for reader, _ in watchers))
            taken.append(time.perf_counter() - started)
        figures["create sent until the last watcher has its event"] = summary(taken)
        reading = [asyncio.create_task(read_all(reader)) for reader, _ in watchers]
        events = asyncio.create_task(create_many(http))
        statuses: list[float] = []
        while not events.done():
            statuses.append(await status(http))
        figures[f"status, while {BUSY_EVENTS} events go to all of them"] = summary(statuses)
        for task in reading:
            task.cancel()
        for _, writer in watchers:
            writer.close()
    return figures


async def create_many(http: httpx.AsyncClient) -> None:
    for n in range(BUSY_EVENTS):
        await create(http, f"busy-{n}")


async def create(http: httpx.AsyncClient, job_id: str) -> None:
    body = {"job_id": job_id, "job_graph": bad_flow()}
    answer = await http.put("/v1/modelbox/job", json=body, headers={"Prefer": "respond-async"})
    assert answer.status_code == 202, answer.text


async def status(http: httpx.AsyncClient) -> float:
    started = time.perf_counter()
    await http.get("/v1/modelbox/job/job-0")
    return time.perf_counter() - started


async def read_all(reader: asyncio.StreamReader) -> None:
    while await reader.read(2**16):
        pass


if __name__ == "__main__":
    main()
