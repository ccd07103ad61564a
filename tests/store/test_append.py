import asyncio

import pytest

from server.jobs import events as e
from server.jobs.errors import InvalidJobId, JobExists, NoSuchJob
from server.jobs.ids import Epoch, JobId
from server.jobs.words import JobStatus
from server.store import CannotStore, StaleEpoch, Store, StoreUnavailable, VersionConflict
from tests.store.jobs import (
    CLIENT,
    GRAPH,
    RUNNER,
    A,
    B,
    create,
    created_and_deleted,
    delete,
    query,
    ready,
    seen,
    started,
)


async def test_a_create_is_an_event_and_a_job(store: Store, url: str) -> None:
    appended = await store.submit(create(), CLIENT)

    (recorded,) = appended.events
    assert (recorded.position, recorded.version, recorded.incarnation) == (1, 1, 1)
    assert (recorded.actor, recorded.request_id, recorded.epoch) == ("10.0.0.7", "req-1", None)
    assert appended.head == 1
    assert appended.job is not None
    assert appended.job.status is JobStatus.PENDING
    assert (await store.snapshot()).jobs == (appended.job,)
    assert await store.events() == [recorded]
    assert query(url, "SELECT position, epoch FROM log_head") == [{"position": 1, "epoch": 0}]


async def test_a_refused_command_writes_nothing(store: Store) -> None:
    await store.submit(create(), CLIENT)

    with pytest.raises(JobExists):
        await store.submit(create(), CLIENT)
    with pytest.raises(NoSuchJob):
        await store.submit(delete(B), CLIENT)

    assert len(await store.events()) == 1


async def test_a_command_that_changes_nothing_answers_with_the_job(store: Store) -> None:
    await store.submit(create(), CLIENT)
    first = await store.submit(delete(), CLIENT)

    again = await store.submit(delete(), CLIENT)

    assert again.events == ()
    assert again.job == first.job
    assert again.head == first.head == 2


async def test_commands_together_are_all_or_none(store: Store) -> None:
    await store.submit(create(), CLIENT)

    with pytest.raises(JobExists):
        await store.submit_all([create(B), delete(), create(B)], CLIENT)

    snapshot = await store.snapshot()
    assert snapshot.head == 1
    assert [job.status for job in snapshot.jobs] == [JobStatus.PENDING]


async def test_one_refusal_does_not_hurt_what_is_committed_with_it(store: Store) -> None:
    results = await asyncio.gather(
        *(store.submit(create(JobId(f"job-{number % 50}")), CLIENT) for number in range(100)),
        return_exceptions=True,
    )

    assert sum(isinstance(result, JobExists) for result in results) == 50
    assert len((await store.snapshot()).jobs) == 50
    assert [recorded.position for recorded in await store.events()] == list(range(1, 51))
    assert await store.verify() == []


async def test_what_the_database_refuses_does_not_hurt_what_is_committed_with_it(store: Store) -> None:
    await store.submit(create(), CLIENT)
    too_large = e.EngineIdentity(2**70, 1, "boot", "host", "/run")

    results = await asyncio.gather(
        store.submit(create(B), CLIENT),
        store.submit(seen(e.EngineStarted(attempt=1, engine=too_large)), RUNNER),
        store.submit(create(JobId("job-c")), CLIENT),
        return_exceptions=True,
    )

    assert isinstance(results[1], CannotStore)
    assert [job.job_id for job in (await store.snapshot()).jobs] == ["job-a", "job-b", "job-c"]
    assert await store.verify() == []


async def test_an_id_created_again_is_a_new_incarnation(store: Store) -> None:
    gone = await created_and_deleted(store)
    assert gone[-1].job is None

    again = await store.submit(create(), CLIENT)

    assert again.job is not None
    assert (again.job.incarnation, again.job.version) == (2, 1)
    late = await store.submit(ready(1, A, incarnation=1), RUNNER)
    assert late.events == ()


async def test_delete_and_create_of_one_id_in_one_transaction(store: Store) -> None:
    await store.submit(create(), CLIENT)
    await store.submit(delete(), CLIENT)

    appended = await store.submit_all([seen(e.JobDeleted()), create(), delete()], RUNNER)

    assert appended[-1].job is not None
    assert appended[-1].job.incarnation == 2
    assert appended[-1].job.status is JobStatus.DELETEING
    assert await store.verify() == []


async def test_each_graph_is_kept_once(store: Store, url: str) -> None:
    for name in "xyz":
        await store.submit(create(JobId(f"job-{name}")), CLIENT)

    assert query(url, "SELECT COUNT(*) AS n FROM graph") == [{"n": 1}]
    assert await store.graph(GRAPH.digest) == GRAPH
    await store.keep_plan(GRAPH.digest, "the plan")
    await store.submit(create(), CLIENT)
    kept = await store.graph(GRAPH.digest)
    assert kept is not None
    assert kept.plan == "the plan"


async def test_an_older_epoch_is_refused(store: Store) -> None:
    await store.submit(create(), CLIENT)
    old = await store.elect(RUNNER, "machine-a", 1)
    await store.submit(started(), RUNNER, old)

    new = await store.elect(RUNNER, "machine-b", 2)

    assert (old, new) == (1, 2)
    with pytest.raises(StaleEpoch, match="epoch 1 leads no more, epoch 2 does"):
        await store.submit(ready(), RUNNER, old)
    results = await asyncio.gather(
        store.submit(ready(), RUNNER, old),
        store.submit(create(B), CLIENT),
        store.submit(ready(), RUNNER, new),
        return_exceptions=True,
    )
    assert isinstance(results[0], StaleEpoch)
    assert not isinstance(results[1], BaseException)
    assert not isinstance(results[2], BaseException)
    assert [event.epoch for event in results[2].events] == [new]


async def test_an_epoch_that_was_never_given_is_refused(store: Store) -> None:
    with pytest.raises(StaleEpoch):
        await store.submit(create(), RUNNER, Epoch(7))


async def test_an_election_is_an_event_of_no_job(store: Store) -> None:
    await store.elect(RUNNER, "machine-a", 77)

    (recorded,) = await store.events()
    assert recorded.event == e.LeaderElected(host="machine-a", pid=77)
    assert (recorded.job_id, recorded.incarnation, recorded.version, recorded.epoch) == ("", 0, 0, 1)
    assert (await store.snapshot()).epoch == 1


async def test_the_expected_version_must_hold(store: Store) -> None:
    await store.submit(create(), CLIENT, expected_version=0)
    await store.submit(started(), RUNNER, expected_version=1)

    with pytest.raises(VersionConflict, match="job job-a is at version 2, not at 1"):
        await store.submit(delete(), CLIENT, expected_version=1)
    assert (await store.snapshot()).head == 2


@pytest.mark.parametrize("job_id", ["nul\0byte", "half-\ud83d-pair"])
async def test_an_id_that_no_database_takes_is_refused(store: Store, job_id: str) -> None:
    with pytest.raises(InvalidJobId):
        await store.submit(create(JobId(job_id)), CLIENT)


async def test_closing_commits_what_was_submitted(url: str) -> None:
    store = await Store.open(url)
    waiting = [asyncio.create_task(store.submit(create(JobId(f"job-{n}")), CLIENT)) for n in range(20)]
    await asyncio.sleep(0)

    await store.close()

    assert [len((await one).events) for one in waiting] == [1] * 20
    assert len(query(url, "SELECT * FROM job")) == 20
    with pytest.raises(StoreUnavailable, match="closing"):
        await store.submit(create(), CLIENT)
