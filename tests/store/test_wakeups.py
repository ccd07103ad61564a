import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from server.store import Store
from server.store.wakeups import SocketWakeups
from tests.postgres import Postgres
from tests.store.jobs import CLIENT, B, create

SQLITE = pytest.mark.parametrize("kind", ["sqlite"])
LONG = 30.0
"""Seconds that no test waits for: a wake-up comes long before."""


async def _settled(*stores: Store) -> None:
    """Listening has begun, and what it was told at first is read."""
    for store in stores:
        await store.wait_for_append(0.5)


async def test_an_append_wakes_other_processes_and_this_one(store: Store, url: str) -> None:
    other = await Store.open(url)
    await _settled(store, other)

    waiting = [asyncio.create_task(one.wait_for_append(LONG)) for one in (store, other)]
    await asyncio.sleep(0)
    await store.submit(create(), CLIENT)

    assert await asyncio.gather(*waiting) == [True, True]
    assert await other.read_head() == 1
    await other.close()


async def test_a_wake_up_that_came_before_the_wait_is_not_lost(store: Store, url: str) -> None:
    await _settled(store)
    other = await Store.open(url)
    await other.submit(create(), CLIENT)

    assert await store.wait_for_append(LONG)
    await other.close()


async def test_nothing_happens_and_nobody_is_woken(store: Store) -> None:
    await _settled(store)
    await store.submit(create(), CLIENT)
    assert await store.wait_for_append(LONG)

    assert not await store.wait_for_append(0.05)


@SQLITE
async def test_the_dead_are_cleared_away(store: Store, url: str, tmp_path: Path, kind: str) -> None:
    program = (
        "import asyncio, sys\nfrom server.store import Store\n"
        "async def main():\n    store = await Store.open(sys.argv[1])\n    print(flush=True)\n"
        "    await asyncio.sleep(60)\nasyncio.run(main())\n"
    )
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, url, stdout=asyncio.subprocess.PIPE
    )
    assert other.stdout is not None
    await other.stdout.readline()
    sockets = tmp_path / "test.db.wake"
    assert len(list(sockets.iterdir())) == 2
    other.send_signal(signal.SIGKILL)
    await other.wait()

    await store.submit(create(), CLIENT)

    assert await store.wait_for_append(LONG)
    # the writer's thread may have come to us before it comes to the dead
    async with asyncio.timeout(LONG):
        while [path.name.partition("-")[0] for path in sockets.iterdir()] != [str(os.getpid())]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_directory_deeper_than_a_socket_address_is_long(tmp_path: Path) -> None:
    wakeups = SocketWakeups(tmp_path / ("deep" * 50) / "wake")

    wakeups.send()

    assert await wakeups.wait(LONG)
    await wakeups.close()
    assert list((tmp_path / ("deep" * 50) / "wake").iterdir()) == []


async def test_a_full_socket_holds_nobody_up(tmp_path: Path) -> None:
    wakeups = SocketWakeups(tmp_path)
    for _ in range(10_000):
        wakeups.send()

    assert await wakeups.wait(LONG)
    await wakeups.close()


@pytest.mark.parametrize("kind", ["postgres"])
async def test_listening_goes_on_after_the_connection_broke(store: Store, url: str, postgres: Postgres) -> None:
    await _settled(store)
    with postgres.connect(url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    await store.submit(create(), CLIENT)

    assert await store.wait_for_append(LONG)  # it is back, and says so in case something was missed
    await _settled(store)
    await store.submit(create(B), CLIENT)
    assert await store.wait_for_append(LONG)
