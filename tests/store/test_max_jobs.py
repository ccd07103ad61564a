"""The limit on the number of jobs holds whoever creates, and however many at once."""

import asyncio

import pytest
from msgspec.structs import replace

from server.jobs.commands import CreateJob
from server.jobs.errors import JobExists, TooManyJobs
from server.jobs.ids import JobId
from server.store import Store
from tests.store.jobs import CLIENT, create, created_and_deleted, delete


def limited(job_id: str, most: int) -> CreateJob:
    return replace(create(JobId(job_id)), max_jobs=most)


async def test_creates_of_two_processes_at_once_end_at_the_limit(store: Store, url: str) -> None:
    other = await Store.open(url)
    creates = [
        each.submit(limited(f"{name}-{n}", 10), CLIENT)
        for n in range(15)
        for name, each in (("left", store), ("right", other))
    ]
    outcomes = await asyncio.gather(*creates, return_exceptions=True)
    await other.close()

    refused = [outcome for outcome in outcomes if isinstance(outcome, TooManyJobs)]
    assert len(refused) == 20
    assert str(refused[0]) == "request refused, too many jobs, there are 10 of at most 10; delete one first"
    assert len((await store.snapshot()).jobs) == 10


async def test_a_deleted_job_makes_room(store: Store) -> None:
    await created_and_deleted(store)
    await store.submit(limited("first", 1), CLIENT)
    with pytest.raises(TooManyJobs):
        await store.submit(limited("second", 1), CLIENT)
    with pytest.raises(JobExists):
        await store.submit(limited("first", 1), CLIENT)
    # its engine may still run: it counts until it is gone
    await store.submit(delete(JobId("first")), CLIENT)
    with pytest.raises(TooManyJobs):
        await store.submit(limited("second", 1), CLIENT)


async def test_creates_in_one_transaction_count_too(store: Store) -> None:
    with pytest.raises(TooManyJobs):
        await store.submit_all([limited("first", 1), limited("second", 1)], CLIENT)
    assert (await store.snapshot()).jobs == ()
