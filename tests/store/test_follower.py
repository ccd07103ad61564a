"""The jobs in memory stay equal to the projection, whatever comes in between."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from server.jobs import events as e
from server.jobs.commands import Command, Context, CreateJob, DeleteJob, Graph, Observe
from server.jobs.ids import JobId
from server.store import Changes, Store
from server.store.follower import Follower
from server.store.queries import Mark

CONTEXT = Context(actor="test")
ID = JobId("followed")
CREATE = CreateJob(job_id=ID, graph=Graph.of("json", "{}"))
DELETE = DeleteJob(job_id=ID)
DELETED = Observe(job_id=ID, incarnation=1, event=e.JobDeleted())


class Overtaken(Follower):
    """A follower whose reads take so long that something else is appended and noted before they are used."""

    meanwhile: Command

    def take(self, store: Store, meanwhile: Command) -> None:
        self.meanwhile = meanwhile
        read = store.changes_since

        async def slow(before: Mark) -> Changes:
            changes = await read(before)
            store.changes_since = read  # type: ignore[method-assign]
            self.note(await store.submit(self.meanwhile, CONTEXT))
            return changes

        store.changes_since = slow  # type: ignore[method-assign]


@pytest.fixture
async def other(store: Store, url: str) -> AsyncIterator[Store]:
    """The same database, from another process's point of view."""
    other = await Store.open(url)
    yield other
    await other.close()


async def test_a_change_by_another_process_is_seen(store: Store, other: Store) -> None:
    follower = Follower(store)
    await follower.load()
    told: asyncio.Queue[set[JobId]] = asyncio.Queue()
    follower.subscribe(told.put_nowait)
    following = asyncio.create_task(follower.follow())
    async with asyncio.timeout(10):
        await other.submit(CREATE, CONTEXT)
        assert await told.get() == {ID}
        assert follower.jobs[ID].version == 1
        await other.submit(DELETE, CONTEXT)
        await other.submit(DELETED, CONTEXT)
        assert await follower.wait_until(ID, 1, lambda _job: False) is None
    following.cancel()


async def test_a_delete_that_overtakes_a_read_is_not_undone(store: Store, other: Store) -> None:
    follower = Overtaken(store)
    await follower.load()
    await other.submit(CREATE, CONTEXT)
    await other.submit(DELETE, CONTEXT)
    follower.take(store, DELETED)
    await follower.catch_up()
    assert follower.jobs == {}
    await follower.catch_up()
    assert follower.jobs == {}


async def test_a_create_that_overtakes_the_read_of_a_delete_is_not_undone(store: Store, other: Store) -> None:
    follower = Overtaken(store)
    await other.submit(CREATE, CONTEXT)
    await follower.load()
    await other.submit(DELETE, CONTEXT)
    await other.submit(DELETED, CONTEXT)
    follower.take(store, CREATE)
    await follower.catch_up()
    assert follower.jobs[ID].incarnation == 2
    await follower.catch_up()
    assert follower.jobs[ID].incarnation == 2


async def test_what_this_process_appends_is_known_at_once(store: Store) -> None:
    follower = Follower(store)
    await follower.load()
    follower.note(await store.submit(CREATE, CONTEXT))
    assert follower.jobs[ID].version == 1
    follower.note(await store.submit(DELETE, CONTEXT))
    assert follower.jobs[ID].version == 2
    await follower.catch_up()
    assert follower.is_current() or store.sync_mark() is None
    assert follower.jobs[ID].version == 2
