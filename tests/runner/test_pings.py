"""Engines that exist and do not answer."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from server.config import EngineSection
from server.engines.driver import EngineHandle
from server.jobs import events as e
from server.jobs.commands import Context, CreateJob, Graph, Observe
from server.jobs.ids import JobId
from server.jobs.options import JobOptions, RestartPolicy
from server.runner.engines import Engine
from server.runner.pings import Pinger
from server.runner.recorder import Recorder
from server.store import Store, upgrade
from server.store.follower import Follower

CONTEXT = Context(actor="test")
ID = JobId("silent")
IDENTITY = e.EngineIdentity(pid=7, start_time=1, boot_id="b", host="h", run_dir="/r")


class Silent:
    """A handle whose engine never answers."""

    def __init__(self) -> None:
        self.stopped = asyncio.Event()

    async def ping(self, timeout: float) -> bool:
        await asyncio.sleep(timeout)
        return False

    async def stop(self, grace: float) -> None:
        self.stopped.set()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    url = f"sqlite:///{tmp_path / 'test.db'}"
    upgrade(url)
    store = await Store.open(url)
    yield store
    await store.close()


@pytest.mark.parametrize("on_stall", [True, False])
async def test_an_engine_that_never_answers_is_ended_if_its_policy_says_so(store: Store, on_stall: bool) -> None:
    options = JobOptions(restart=RestartPolicy(on_stall=on_stall), stall_after=0.05)
    create = CreateJob(job_id=ID, graph=Graph.of("json", "{}"), options=options)
    await store.submit(create, CONTEXT)
    for event in (e.EngineStarted(attempt=1, engine=IDENTITY), e.EngineReady(attempt=1)):
        await store.submit(Observe(job_id=ID, incarnation=1, event=event), CONTEXT)
    epoch = await store.elect(CONTEXT, "h", 1)
    follower = Follower(store)
    await follower.load()
    handle = Silent()
    engine = Engine(job_id=ID, incarnation=1, attempt=1, handle=cast(EngineHandle, handle))
    pinger = Pinger(Recorder(store, follower, epoch), follower, {ID: engine}, EngineSection(), 0.05)

    await pinger.ask(engine)
    assert follower.jobs[ID].status == "UNKNOWN"
    assert not handle.stopped.is_set()
    await pinger.ask(engine)

    assert handle.stopped.is_set() is on_stall
    assert engine.stalled.startswith("Stalled, the engine's process exists") is on_stall
