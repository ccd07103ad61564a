"""Requests that are carried out once."""

import asyncio

import pytest
from msgspec.structs import replace

from server.jobs.commands import Command, Context
from server.jobs.condition import Condition
from server.jobs.errors import JobExists, KeyReused, StillAnswering
from server.jobs.ids import JobId
from server.jobs.once import AlreadyAnswered, KeptAnswer, Once
from server.jobs.words import Desired
from server.store import Store
from server.store.keyed import MOST_REMOVED
from tests.store.jobs import CLIENT, B, create, delete, query, started

FIRST = Once(client="token:1", key="k1", fingerprint="f1", owner="p1", keep_seconds=60.0)
ANSWER = KeptAnswer(201, {"Location": "/a"}, '{"ä": 1}')


def context(once: Once) -> Context:
    return replace(CLIENT, once=once, idempotency_key=once.key)


async def test_what_was_carried_out_is_not_carried_out_again(store: Store) -> None:
    first = await store.submit(create(), context(FIRST))
    again = await store.submit(create(), context(FIRST))

    assert (first.resumed, again.resumed) == (False, True)
    assert again.events == ()
    assert again.job == first.job
    assert len(await store.events()) == 1


async def test_the_event_carries_the_key(store: Store, url: str) -> None:
    await store.submit(create(), context(FIRST))
    assert query(url, "SELECT idempotency_key FROM event") == [{"idempotency_key": "k1"}]


async def test_it_is_answered_with_the_job_of_then_whatever_became_of_it(store: Store) -> None:
    first = await store.submit(create(), context(FIRST))
    await store.submit(started(), CLIENT)
    await store.submit(delete(), CLIENT)

    again = await store.submit(create(), context(FIRST))

    assert again.job == first.job


async def test_an_answer_is_given_again(store: Store) -> None:
    await store.submit(create(), context(FIRST))
    await store.keep_answer(context(FIRST), ANSWER)

    with pytest.raises(AlreadyAnswered) as told:
        await store.submit(create(), context(FIRST))
    assert told.value.answer == ANSWER
    found = await store.find_keyed(FIRST)
    assert found is not None
    assert found.answer == ANSWER


async def test_a_refusal_is_given_again(store: Store) -> None:
    await store.submit(create(), CLIENT)
    with pytest.raises(JobExists):
        await store.submit(create(), context(FIRST))
    assert await store.find_keyed(FIRST) is None

    await store.keep_answer(context(FIRST), KeptAnswer(400, {}, "taken"))

    with pytest.raises(AlreadyAnswered):
        await store.submit(create(), context(FIRST))


async def test_a_command_that_changes_nothing_is_remembered_too(store: Store) -> None:
    await store.submit(create(), CLIENT)
    await store.submit(delete(), CLIENT)
    before = await store.read_head()

    await store.submit(delete(), context(FIRST))

    again = await store.submit(delete(), context(FIRST))
    assert again.resumed
    assert again.job is not None
    assert again.job.desired is Desired.DELETED
    assert await store.read_head() == before


async def test_the_key_of_another_request(store: Store) -> None:
    await store.submit(create(), context(FIRST))
    with pytest.raises(KeyReused):
        await store.submit(create(B), context(replace(FIRST, fingerprint="f2")))


async def test_the_same_key_of_another_client(store: Store) -> None:
    await store.submit(create(), context(FIRST))
    appended = await store.submit(create(B), context(replace(FIRST, client="token:2", fingerprint="f2")))
    assert len(appended.events) == 1


async def test_another_process_waits_for_the_first_or_takes_over(store: Store) -> None:
    await store.submit(create(), context(FIRST))
    second = replace(FIRST, owner="p2")

    with pytest.raises(StillAnswering):
        await store.submit(create(), context(second))
    again = await store.submit(create(), context(replace(second, takes_over="p1")))

    assert again.resumed
    # from now on it is the second's
    with pytest.raises(StillAnswering):
        await store.submit(create(), context(FIRST))
    await store.keep_answer(context(FIRST), KeptAnswer(500, {}, "late"))
    await store.keep_answer(context(second), ANSWER)
    with pytest.raises(AlreadyAnswered) as told:
        await store.submit(create(), context(FIRST))
    assert told.value.answer == ANSWER


async def test_its_condition_is_not_asked_for_again(store: Store) -> None:
    await store.submit(create(), CLIENT)
    careful = replace(context(FIRST), condition=Condition(matches=('"1-1"',)))

    await store.submit(delete(), careful)

    assert (await store.submit(delete(), careful)).resumed


async def test_two_servers_carry_it_out_once(store: Store, url: str) -> None:
    other = await Store.open(url)
    try:
        await store.submit(create(), context(FIRST))
        with pytest.raises(StillAnswering):
            await other.submit(create(), context(replace(FIRST, owner="p2")))
        await store.keep_answer(context(FIRST), ANSWER)
        with pytest.raises(AlreadyAnswered):
            await other.submit(create(), context(replace(FIRST, owner="p2")))
    finally:
        await other.close()


async def test_what_has_expired_counts_as_never_seen_and_goes_bit_by_bit(store: Store, url: str) -> None:
    short = [replace(FIRST, key=f"old-{n}", keep_seconds=0.0) for n in range(MOST_REMOVED + 1)]
    await store.submit(create(), CLIENT)
    for one in short:
        await store.keep_answer(context(one), ANSWER)
    assert await store.find_keyed(short[-1]) is None
    with pytest.raises(JobExists):
        await store.submit(create(), context(short[-1]))

    await store.submit(create(B), context(FIRST))

    left = query(url, "SELECT key FROM keyed_request")
    assert {"key": "k1"} in left
    assert len(left) <= 2


async def test_a_hundred_at_once(store: Store) -> None:
    ids = [JobId(f"job-{n}") for n in range(100)]

    async def ask(job_id: JobId) -> bool:
        once = replace(FIRST, key=job_id)
        command: Command = create(job_id)
        appended = await store.submit(command, context(once))
        await store.keep_answer(context(once), ANSWER)
        return appended.resumed

    assert not any(await asyncio.gather(*map(ask, ids)))
    for job_id in ids:
        with pytest.raises(AlreadyAnswered):
            await store.submit(create(job_id), context(replace(FIRST, key=job_id)))
