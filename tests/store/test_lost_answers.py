"""Connections that break at the worst moments: what was answered holds, and nothing is done twice."""

import asyncio
import random
from collections.abc import Iterator

import pytest

from server.failpoints import Failpoint
from server.jobs.errors import JobExists
from server.jobs.ids import JobId
from server.store import Store, StoreUnavailable, session, upgrade
from tests.postgres import Postgres, running_postgres
from tests.store.jobs import CLIENT, A, B, create, query
from tests.store.proxy import proxied

POSTGRES = pytest.mark.parametrize("kind", ["postgres"])


@POSTGRES
async def test_a_commit_whose_answer_was_lost_has_happened(url: str) -> None:
    """The command is answered as done, and not asked again."""
    async with proxied(url) as proxy:
        store = await Store.open(proxy.url)
        await store.submit(create(), CLIENT)
        proxy.cut = "after"

        appended = await store.submit(create(B), CLIENT)

        assert (proxy.cuts, appended.head, store.seen.position) == (1, 2, 2)
        assert [one.job_id for one in await store.events()] == [A, B]
        assert await store.verify() == []
        await store.close()


@POSTGRES
async def test_a_commit_that_did_not_get_there_has_not_happened(url: str) -> None:
    async with proxied(url) as proxy:
        store = await Store.open(proxy.url)
        await store.submit(create(), CLIENT)
        proxy.cut = "before"

        with pytest.raises(StoreUnavailable, match="cannot be used"):
            await store.submit(create(B), CLIENT)

        assert proxy.cuts == 1
        assert [one.job_id for one in await store.events()] == [A]
        await store.submit(create(B), CLIENT)
        assert await store.verify() == []
        await store.close()


async def test_all_of_a_batch_hear_what_came_of_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """One by one, as each would be answered alone: some are refused, some are done."""
    lost = iter([True])

    def lose_once(point: Failpoint, error: object = None) -> None:
        if point is Failpoint.STORE_AFTER_COMMIT and next(lost, False):
            raise session.injected()

    await store.submit(create(), CLIENT)
    monkeypatch.setattr(session, "hit", lose_once)
    ids = [JobId(f"job-{n}") for n in range(20)]

    results = await asyncio.gather(
        *(store.submit(create(one), CLIENT) for one in [*ids, A]), return_exceptions=True
    )

    assert isinstance(results.pop(), JobExists)
    assert not [one for one in results if isinstance(one, BaseException)]
    assert len(await store.events()) == 21


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    with running_postgres(durable=False) as server:
        yield server


async def test_postgres_is_restarted_and_connections_cut_under_load(own_postgres: Postgres) -> None:
    url = own_postgres.new_database()
    await asyncio.to_thread(upgrade, url)
    store = await Store.open(url)
    done: set[str] = set()
    clients = [asyncio.create_task(_create_on(store, client, done)) for client in range(8)]
    rng = random.Random(1104)
    for fault in range(12):
        await asyncio.sleep(rng.uniform(0.02, 0.15))
        if fault % 4 == 3:
            await asyncio.to_thread(own_postgres.down)
            await asyncio.sleep(rng.uniform(0.0, 0.2))
            await asyncio.to_thread(own_postgres.up)
        else:
            await asyncio.to_thread(_cut_connections, own_postgres, url)
    for client in clients:
        client.cancel()
    told = await asyncio.gather(*clients, return_exceptions=True)
    assert {type(one) for one in told} == {asyncio.CancelledError}

    await _until_back(store)
    created = query(url, "SELECT job_id FROM event WHERE type = 'job-created'")
    ids = [row["job_id"] for row in created]
    assert len(ids) == len(set(ids))
    assert len(done) > 50
    assert done <= set(ids)
    assert await store.verify() == []
    await store.close()


async def _create_on(store: Store, client: int, done: set[str]) -> None:
    """Creates one job after the other; a command that was answered with an error is sent once more."""
    number = 0
    while True:
        job_id = JobId(f"job-{client}-{number}")
        try:
            await store.submit(create(job_id), CLIENT)
        except StoreUnavailable:
            await asyncio.sleep(0.01)
            continue
        except JobExists:
            pass  # the answer before said that it was not known
        done.add(job_id)
        number += 1


async def _until_back(store: Store) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                await store.snapshot()
            except StoreUnavailable:
                await asyncio.sleep(0.05)
            else:
                return


def _cut_connections(server: Postgres, url: str) -> None:
    with server.connect(url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
