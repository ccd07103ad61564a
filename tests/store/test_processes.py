"""Several processes on one database, and what is left of one that is killed."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process

import pytest

from server.store import Store


async def _writer(url: str, prefix: str, count: int) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.store.writer", url, prefix, str(count), stdout=PIPE
    )


async def test_two_processes_lose_nothing_of_each_other(store: Store, url: str) -> None:
    writers = [await _writer(url, prefix, 300) for prefix in ("left", "right")]
    acknowledged = [(await writer.communicate())[0].split() for writer in writers]

    assert [writer.returncode for writer in writers] == [0, 0]
    assert [len(ids) for ids in acknowledged] == [300, 300]
    events = await store.events(limit=2000)
    assert [one.position for one in events] == list(range(1, 1201))
    jobs = (await store.snapshot()).jobs
    assert {job.job_id for job in jobs} == {f"{prefix}-{n}" for prefix in ("left", "right") for n in range(300)}
    assert all(job.version == 2 for job in jobs)
    assert await store.verify() == []


@pytest.mark.parametrize("round_number", range(3))
async def test_what_was_acknowledged_outlives_kill_nine(store: Store, url: str, round_number: int) -> None:
    writer = await _writer(url, "burst", 0)
    assert writer.stdout is not None
    lines = [await writer.stdout.readline() for _ in range(50 + 100 * round_number)]
    writer.send_signal(signal.SIGKILL)
    lines += (await writer.stdout.read()).splitlines(keepends=True)
    await writer.wait()

    jobs = {job.job_id: job for job in (await store.snapshot()).jobs}

    acknowledged = [line.decode().strip() for line in lines if line.endswith(b"\n")]
    assert acknowledged
    assert all(jobs[job_id].version == 2 for job_id in acknowledged)  # type: ignore[index]
    assert await store.verify() == []


async def test_a_reader_that_follows_sees_every_event_once(store: Store, url: str) -> None:
    writers = [await _writer(url, prefix, 200) for prefix in ("left", "right")]
    seen = []
    position = (await store.snapshot()).head
    async with asyncio.timeout(30):
        while len(seen) < 800:
            events = await store.events(position, limit=100)
            seen += [one.position for one in events]
            position = events[-1].position if events else position
    for writer in writers:
        await writer.communicate()

    assert seen == list(range(1, 801))
