"""Pages of the list, against a list made by hand, while jobs come, go and change."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from server.api.job_index import Filter, JobIndex, Key, Sort
from server.jobs import events as e
from server.jobs.ids import JobId
from server.jobs.state import Job
from server.jobs.words import JobStatus
from server.store import Store, upgrade
from server.store.follower import Follower
from tests.store.jobs import CLIENT, RUNNER, create, delete, seen

EVERYTHING = Filter()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    url = f"sqlite:///{tmp_path / 'list.db'}"
    upgrade(url)
    opened = await Store.open(url)
    yield opened
    await opened.close()


@pytest.fixture
async def index(store: Store) -> JobIndex:
    """Of 60 jobs, each third of them FAILED."""
    for n in range(60):
        await store.submit(create(JobId(f"job-{n}")), CLIENT)
        if n % 3 == 0:
            await fail(store, JobId(f"job-{n}"))
    return JobIndex(await followed(store))


async def followed(store: Store) -> Follower:
    follower = Follower(store)
    await follower.load()
    return follower


async def fail(store: Store, job_id: JobId, incarnation: int = 1) -> None:
    failed = e.EngineFailed(attempt=1, error=f"Bad config, no unit in {job_id.upper()}", failures=1)
    await store.submit(seen(failed, job_id, incarnation), RUNNER)


async def all_pages(index: JobIndex, wanted: Filter, sort: Sort, limit: int) -> list[Job]:
    found: list[Job] = []
    behind: Key | None = None
    while True:
        page = await index.page(wanted, sort, behind, limit)
        found += page.jobs
        if page.last is None:
            return found
        assert len(page.jobs) == limit
        behind = page.last


def by_hand(jobs: list[Job], sort: Sort) -> list[str]:
    values = {
        "created": lambda job: (job.created_at, job.job_id),
        "changed": lambda job: (job.changed_at, job.job_id),
        "job_id": lambda job: (job.job_id,),
        "job_status": lambda job: (job.status.value, job.job_id),
    }
    return [job.job_id for job in sorted(jobs, key=values[sort.field], reverse=sort.is_descending)]


@pytest.mark.parametrize("sort", Sort)
@pytest.mark.parametrize("limit", [1, 7, 20, 60, 1000])
async def test_pages_join_up_in_every_order(store: Store, index: JobIndex, sort: Sort, limit: int) -> None:
    jobs = list((await store.snapshot()).jobs)
    for statuses in (frozenset[JobStatus](), frozenset({JobStatus.FAILED})):
        kept = [job for job in jobs if not statuses or job.status in statuses]
        found = await all_pages(index, Filter(statuses=statuses), sort, limit)
        assert [job.job_id for job in found] == by_hand(kept, sort)


async def test_counts_pass_over_the_filter_by_status_only(index: JobIndex) -> None:
    page = await index.page(EVERYTHING, Sort.CREATED, None, 1)
    assert (page.total, page.counts) == (60, {JobStatus.FAILED: 20, JobStatus.PENDING: 40})
    page = await index.page(Filter(statuses=frozenset({JobStatus.FAILED})), Sort.CREATED, None, 1)
    assert (page.total, page.counts) == (20, {JobStatus.FAILED: 20, JobStatus.PENDING: 40})
    page = await index.page(Filter(text="job-1"), Sort.CREATED, None, 1)
    assert (page.total, page.counts) == (11, {JobStatus.FAILED: 3, JobStatus.PENDING: 8})


async def test_text_is_looked_for_in_ids_and_errors(index: JobIndex) -> None:
    for text, ids in (
        ("JOB-33", ["job-33"]),
        ("no UNIT in job-5", ["job-51", "job-54", "job-57"]),
        ("nowhere", []),
    ):
        page = await index.page(Filter(text=text), Sort.ID, None, 100)
        assert [job.job_id for job in page.jobs] == ids


async def test_times_bound_on_both_sides(store: Store, index: JobIndex) -> None:
    jobs = sorted((await store.snapshot()).jobs, key=lambda job: job.created_at)
    low, high = jobs[10].created_at, jobs[20].created_at
    page = await index.page(Filter(created_after=low, created_before=high), Sort.CREATED, None, 100)
    assert [job.job_id for job in page.jobs] == [job.job_id for job in jobs[11:20]]
    moment = timedelta(microseconds=1)
    page = await index.page(
        Filter(changed_after=jobs[3].changed_at - moment, changed_before=jobs[3].changed_at + moment),
        Sort.CREATED,
        None,
        100,
    )
    assert jobs[3] in page.jobs


@pytest.mark.parametrize("sort", [Sort.CREATED, Sort.NEWEST, Sort.ID, Sort.ID_DOWN])
async def test_who_is_there_all_the_time_comes_once_whatever_changes(
    store: Store, index: JobIndex, sort: Sort
) -> None:
    random = Random(sort.value)
    stays = [JobId(f"job-{n}") for n in range(0, 60, 2)]
    goes = [JobId(f"job-{n}") for n in range(1, 60, 2)]
    found: list[str] = []
    behind: Key | None = None
    for step in range(1000):
        page = await index.page(EVERYTHING, sort, behind, 3)
        found += [job.job_id for job in page.jobs]
        if page.last is None:
            break
        behind = page.last
        await fail(store, random.choice(stays))
        await store.submit(create(JobId(f"new-{step}")), CLIENT)
        if step < len(goes):
            job_id = random.choice(goes)
            goes.remove(job_id)
            await store.submit_all([delete(job_id), seen(e.JobDeleted(), job_id)], CLIENT)
    for job_id in stays:
        assert found.count(job_id) == 1
    assert len(found) == len(set(found))


async def test_from_its_position_on_nothing_is_missed(store: Store, index: JobIndex) -> None:
    page = await index.page(EVERYTHING, Sort.CREATED, None, 1)
    assert page.position == await store.read_head()
    await asyncio.gather(*(store.submit(create(JobId(f"more-{n}")), CLIENT) for n in range(20)))
    page = await index.page(EVERYTHING, Sort.CREATED, None, 1)
    assert (page.total, page.position) == (80, await store.read_head())
