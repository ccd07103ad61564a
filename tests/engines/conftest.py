import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from server.engines.local import LocalDriver
from tests.processes import kill_all, processes_of

ROOT = Path(__file__).parents[2]


def host_pid(state_dir: Path) -> int:
    # an engine that is just being born still looks like the host, and is younger
    return min(pid for pid, title in processes_of(state_dir).items() if "engine host" in title)


def kill_host(state_dir: Path) -> int:
    pid = host_pid(state_dir)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: pid not in processes_of(state_dir), "the host is gone")
    return pid


def wait_until(true: Callable[[], bool], what: str, timeout: float = 10.0) -> None:
    deadline = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < deadline, f"not within {timeout} s: {what}"
        time.sleep(0.01)


@pytest.fixture
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    # longer than what a Unix socket's address holds
    directory = tmp_path / ("long-" * 20) / "state"
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    yield directory
    left = processes_of(directory)
    kill_all(directory)
    assert not left, "the test left processes"


@pytest.fixture
async def driver(state_dir: Path) -> AsyncIterator[LocalDriver]:
    driver = LocalDriver(state_dir, "tests.engines.tiny_flow:TinyRuntime")
    yield driver
    await end(driver, state_dir)


async def end(driver: LocalDriver, state_dir: Path) -> None:
    """Stops everything, the way a server does that takes its engines with it."""
    for hello in await driver.list():
        handle = await driver.adopt(hello.head.job_id, 1_000_000, seat=hello.head.seat)
        if handle is not None:
            await handle.kill()
    await driver.shutdown()
    await driver.close()
    for _ in range(500):
        if not processes_of(state_dir):
            return
        await asyncio.sleep(0.01)
