"""Asking a running engine what its flow has counted."""

import asyncio
import os
import signal

from server.engines.handle import LocalHandle
from server.engines.local import LocalDriver
from server.engines.protocol import Counted, Ready
from tests.engines.jobs import next_news, spec_of

TIMEOUT = 0.2
PATIENCE = 20.0


async def ready(driver: LocalDriver) -> LocalHandle:
    handle = await driver.start(spec_of())
    assert isinstance(await next_news(handle), Ready)
    return handle


async def test_it_answers_each_time(driver: LocalDriver) -> None:
    handle = await ready(driver)
    for _ in range(3):
        assert await handle.counters(PATIENCE) == Counted(nodes=(), status="idle")


async def test_those_who_ask_together_share_an_answer(driver: LocalDriver) -> None:
    handle = await ready(driver)
    one, two = await asyncio.gather(handle.counters(PATIENCE), handle.counters(PATIENCE))
    assert one is not None
    assert one is two


async def test_one_that_hangs_gives_none_and_answers_when_it_goes_on(driver: LocalDriver) -> None:
    handle = await ready(driver)
    os.kill(handle.identity.pid, signal.SIGSTOP)
    assert [await handle.counters(TIMEOUT) for _ in range(3)] == [None, None, None]
    os.kill(handle.identity.pid, signal.SIGCONT)
    assert await handle.counters(PATIENCE) is not None


async def test_one_that_dies_gives_none_at_once(driver: LocalDriver) -> None:
    handle = await ready(driver)
    os.kill(handle.identity.pid, signal.SIGSTOP)
    asking = asyncio.create_task(handle.counters(60.0))
    await asyncio.sleep(0.05)
    os.kill(handle.identity.pid, signal.SIGKILL)
    async with asyncio.timeout(PATIENCE):
        assert await asking is None
    assert await handle.counters(PATIENCE) is None


async def test_who_adopts_it_may_ask_too(driver: LocalDriver) -> None:
    await ready(driver)
    adopted = await driver.adopt("a", 2)
    assert adopted is not None
    assert isinstance(await next_news(adopted), Ready)
    assert await adopted.counters(PATIENCE) is not None
