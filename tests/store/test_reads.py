import asyncio

from server.jobs import events as e
from server.jobs.ids import JobId, Position
from server.store import Store
from server.store.queries import Mark
from tests.store.jobs import CLIENT, RUNNER, A, B, create, created_and_deleted, delete, ready, seen, started

C = JobId("job-c")


async def test_an_empty_log(store: Store) -> None:
    snapshot = await store.snapshot()

    assert (snapshot.head, snapshot.epoch, snapshot.jobs) == (0, 0, ())
    assert await store.read_head() == 0
    assert (await store.changes_since(Mark(Position(0)))).jobs == ()


async def test_changes_since_a_position(store: Store) -> None:
    for job_id in (A, B, C):
        await store.submit(create(job_id), CLIENT)
    before = (await store.snapshot()).mark
    await store.submit(started(1, B), RUNNER)
    await store.submit_all([delete(C), seen(e.JobDeleted(), C)], RUNNER)

    changes = await store.changes_since(before)

    assert changes.head == before.position + 3
    assert [job.job_id for job in changes.jobs] == [B]
    assert changes.gone == (C,)
    assert not changes.complete
    assert (await store.changes_since(changes.mark)).jobs == ()


async def test_an_id_that_was_created_again_is_not_gone(store: Store) -> None:
    await store.submit(create(), CLIENT)
    before = (await store.snapshot()).mark
    await store.submit_all([delete(), seen(e.JobDeleted()), create()], RUNNER)

    changes = await store.changes_since(before)

    assert changes.gone == ()
    assert [(job.job_id, job.incarnation) for job in changes.jobs] == [(A, 2)]


async def test_a_position_from_the_future_gets_everything(store: Store) -> None:
    """A database that was restored from a backup is behind what its readers knew."""
    await store.submit(create(), CLIENT)

    changes = await store.changes_since(Mark(Position(99)))

    assert changes.complete
    assert changes.head == 1
    assert [job.job_id for job in changes.jobs] == [A]


async def test_events_of_all_and_of_one(store: Store) -> None:
    await store.submit(create(), CLIENT)
    await store.submit(create(B), CLIENT)
    await store.submit_all([started(), ready()], RUNNER)

    assert [one.type for one in await store.events(limit=2)] == ["job-created", "job-created"]
    assert [one.position for one in await store.events(Position(2))] == [3, 4]
    of_a = await store.events(job_id=A)
    assert [one.type for one in of_a] == ["job-created", "engine-started", "engine-ready"]
    assert [one.position for one in await store.events(Position(1), 1, job_id=A)] == [3]


async def test_events_of_an_id_run_through_its_incarnations(store: Store) -> None:
    await created_and_deleted(store)
    await store.submit(create(B), CLIENT)
    await created_and_deleted(store, incarnation=2)

    positions = [one.position for one in await store.events(job_id=A)]

    assert positions == sorted(positions)
    assert len(positions) == 12
    for after in range(15):
        page = await store.events(Position(after), 3, job_id=A)
        assert [one.position for one in page] == [one for one in positions if one > after][:3]


async def test_the_last_incarnation_of_an_id(store: Store) -> None:
    assert await store.last_incarnation(A) == ()
    await created_and_deleted(store)
    await store.submit(create(), CLIENT)
    await store.submit(delete(), CLIENT)

    last = await store.last_incarnation(A)

    assert [(one.incarnation, one.type) for one in last] == [(2, "job-created"), (2, "delete-requested")]


async def test_a_long_life_is_told_by_its_beginning_and_its_end(store: Store) -> None:
    await store.submit(create(), CLIENT)
    await store.submit_all([started(), ready()], RUNNER)
    silence = [seen(e.EngineUnreachable(attempt=1, reason="no answer")), ready()]
    await store.submit_all(silence * 200, RUNNER)
    await store.submit_all([delete(), seen(e.JobDeleted())], RUNNER)

    last = await store.last_incarnation(A)

    assert [last[0].version, *(one.version for one in last[-2:])] == [1, 404, 405]
    assert len(last) == 101


async def test_the_head_follows_other_processes(store: Store, url: str) -> None:
    other = await Store.open(url)
    for expected in range(1, 20):
        await other.submit(create(JobId(f"job-{expected}")), CLIENT)
        assert await store.read_head() == expected
        assert store.sync_mark() in (None, (expected, 0, 0))
    await other.close()


async def test_the_head_can_be_told_at_once_on_sqlite(store: Store, kind: str) -> None:
    await store.submit(create(), CLIENT)

    assert store.sync_mark() == ((1, 0, 0) if kind == "sqlite" else None)


async def test_whoever_asks_for_the_head_after_an_append_sees_it(store: Store) -> None:
    """Shared reads must not hand out an answer that is older than the question."""

    async def append_and_ask(number: int) -> bool:
        appended = await store.submit(create(JobId(f"job-{number}")), CLIENT)
        return await store.read_head() >= appended.head

    assert all(await asyncio.gather(*(append_and_ask(number) for number in range(200))))


async def test_asking_for_the_head_survives_the_one_who_asked_first(store: Store) -> None:
    first = asyncio.create_task(store.read_head())
    await asyncio.sleep(0)
    others = [asyncio.create_task(store.read_head()) for _ in range(5)]
    await asyncio.sleep(0)
    first.cancel()

    assert await asyncio.gather(*others) == [0] * 5
    assert await store.read_head() == 0
