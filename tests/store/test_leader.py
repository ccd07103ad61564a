import asyncio
import signal
import sys

import pytest

from server.store import StoreUnavailable, leader_lock
from tests.postgres import Postgres

LONG = 30.0
HOLDER = (
    "import asyncio, sys\nfrom server.store import leader_lock\n"
    "async def main():\n    await leader_lock(sys.argv[1]).acquire()\n    print(flush=True)\n"
    "    await asyncio.sleep(60)\nasyncio.run(main())\n"
)


async def test_one_leads_and_the_next_takes_over(url: str) -> None:
    first, second = leader_lock(url), leader_lock(url)
    await first.acquire()
    waiting = asyncio.create_task(second.acquire())
    done, _ = await asyncio.wait({waiting}, timeout=0.6)
    assert not done

    await first.release()

    await asyncio.wait_for(waiting, LONG)
    assert not second.lost.is_set()
    await second.release()


async def test_it_is_a_context_too(url: str) -> None:
    for _ in range(3):
        async with leader_lock(url) as lock:
            assert not lock.lost.is_set()


async def test_the_next_takes_over_from_a_leader_that_was_killed(url: str) -> None:
    leader = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, url, stdout=asyncio.subprocess.PIPE
    )
    assert leader.stdout is not None
    await leader.stdout.readline()
    lock = leader_lock(url)
    waiting = asyncio.create_task(lock.acquire())
    done, _ = await asyncio.wait({waiting}, timeout=0.4)
    assert not done

    leader.send_signal(signal.SIGKILL)
    await leader.wait()

    await asyncio.wait_for(waiting, 2.0)
    await lock.release()


async def test_children_do_not_keep_the_lock(url: str) -> None:
    lock = leader_lock(url)
    await lock.acquire()
    child = await asyncio.create_subprocess_exec("sleep", "60")
    await lock.release()

    async with asyncio.timeout(LONG), leader_lock(url):
        pass

    child.kill()
    await child.wait()


async def test_waiting_can_be_given_up(url: str) -> None:
    async with leader_lock(url):
        second = leader_lock(url)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(second.acquire(), 0.3)
        await second.release()


@pytest.mark.parametrize("kind", ["postgres"])
async def test_a_leader_learns_that_its_connection_broke(url: str, postgres: Postgres) -> None:
    lock = leader_lock(url)
    await lock.acquire()
    with postgres.connect(url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    await asyncio.wait_for(lock.lost.wait(), LONG)

    await lock.release()
    async with leader_lock(url):
        pass


async def test_a_lock_file_that_cannot_be_made() -> None:
    with pytest.raises(StoreUnavailable, match="leader lock /nowhere/at/all"):
        await leader_lock("sqlite:////nowhere/at/all.db").acquire()
