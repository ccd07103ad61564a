"""A process that writes, for tests that need more than one, or one to kill.

    python -m tests.store.writer URL PREFIX COUNT

Creates COUNT jobs (0: without end) from 16 tasks, and prints each id once it is acknowledged.
"""

import asyncio
import itertools
import os
import sys

from server.jobs.ids import JobId
from server.store import Store
from tests.store.jobs import CLIENT, create, started

TASKS = 16


async def main(url: str, prefix: str, count: int) -> None:
    store = await Store.open(url)
    numbers = itertools.count() if count == 0 else iter(range(count))

    async def write() -> None:
        for number in numbers:
            job_id = JobId(f"{prefix}-{number}")
            await store.submit(create(job_id), CLIENT)
            await store.submit(started(1, job_id), CLIENT)
            os.write(1, f"{job_id}\n".encode())

    await asyncio.gather(*(write() for _ in range(TASKS)))
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
