"""Engines that are left on a machine after another one took their jobs over."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.engines.driver import Ended, Exited, Ready
from server.engines.local import LocalDriver
from server.jobs import events as e
from server.jobs.commands import Context, CreateJob, DeleteJob, Graph, Observe
from server.jobs.ids import Epoch, JobId
from server.runner.standby import Standby
from server.store import Store, upgrade
from tests.engines.conftest import end as end
from tests.engines.conftest import state_dir as state_dir
from tests.engines.jobs import next_news, spec_of

RUNTIME = "tests.engines.tiny_flow:TinyRuntime"
HERE, THERE = Context(actor="runner"), Context(actor="runner of another machine")
A = JobId("a")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    url = f"sqlite:///{tmp_path / 'test.db'}"
    upgrade(url)
    store = await Store.open(url)
    yield store
    await store.close()


async def record(store: Store, epoch: Epoch, *events: e.Event) -> None:
    observed = [Observe(job_id=A, incarnation=1, event=event) for event in events]
    await store.submit_all(observed, THERE, epoch)


async def test_an_engine_ends_when_its_job_runs_elsewhere_and_not_before(store: Store, state_dir: Path) -> None:
    first = await store.elect(HERE, "here", 1)
    await store.submit(CreateJob(job_id=A, graph=Graph.of("json", "{}")), Context(actor="test"))
    driver = LocalDriver(state_dir, RUNTIME, log=await store.log_name())
    standby = Standby(store, lambda name: LocalDriver(state_dir, RUNTIME, log=name), 1.0)
    engine = await driver.start(spec_of("a", epoch=first))
    assert isinstance(await next_news(engine), Ready)
    # its leader dies, and has not recorded it
    second = await store.elect(THERE, "there", 2)
    assert await standby.look() == 0
    # the next one knows it, and loses it from its sight
    await record(store, second, e.EngineAdopted(attempt=1, engine=engine.identity))
    assert await standby.look() == 0
    await record(store, second, e.EngineLost(attempt=1, reason="cut off"))
    assert await standby.look() == 0
    elsewhere = e.EngineIdentity(engine.identity.pid, 1, "another boot", "there", "/run/there")
    await record(store, second, e.EngineStarted(attempt=2, engine=elsewhere))
    assert await engine.ping(5)
    assert await standby.look() == 1
    assert isinstance(await next_news(engine), Ended)
    assert isinstance(await next_news(engine), Exited)
    assert await standby.look() == 0
    await end(driver, state_dir)


@pytest.mark.parametrize("again", [False, True])
async def test_an_engine_ends_when_its_job_was_deleted_elsewhere(
    store: Store, state_dir: Path, again: bool
) -> None:
    first = await store.elect(HERE, "here", 1)
    create = CreateJob(job_id=A, graph=Graph.of("json", "{}"))
    await store.submit(create, Context(actor="test"))
    driver = LocalDriver(state_dir, RUNTIME, log=await store.log_name())
    standby = Standby(store, lambda name: LocalDriver(state_dir, RUNTIME, log=name), 1.0)
    engine = await driver.start(spec_of("a", epoch=first))
    assert isinstance(await next_news(engine), Ready)
    await store.submit(DeleteJob(job_id=A), Context(actor="test"))
    assert await standby.look() == 0
    second = await store.elect(THERE, "there", 2)
    await record(store, second, e.JobDeleted())
    if again:
        await store.submit(create, Context(actor="test"))
    assert await standby.look() == 1
    assert driver.alive() == []
    await end(driver, state_dir)
