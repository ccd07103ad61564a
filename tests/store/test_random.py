"""Whatever is submitted, in whatever order: the projection is the fold of the log."""

import asyncio
import tempfile
from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.jobs import events as e
from server.jobs.commands import Command, Graph
from server.jobs.errors import JobError
from server.jobs.ids import JobId, Position
from server.jobs.options import JobOptions
from server.jobs.state import Job, fold
from server.store import Store, upgrade
from server.store.queries import Mark
from tests.postgres import Postgres
from tests.store.jobs import CLIENT, ENGINE, GRAPH, change, create, delete, seen

GRAPHS = (GRAPH, Graph.of("toml", "a = 1"), None)

JOB_IDS = st.sampled_from([JobId("aa"), JobId("bb"), JobId("cc")])
ATTEMPTS = st.integers(1, 3)
REVISIONS = st.integers(2, 4)
EVENTS = st.one_of(
    st.builds(e.EngineStarted, attempt=ATTEMPTS, engine=st.just(ENGINE)),
    st.builds(e.EngineReady, attempt=ATTEMPTS, endpoints=st.lists(st.text(max_size=5), max_size=2).map(tuple)),
    st.builds(e.EngineAdopted, attempt=ATTEMPTS, engine=st.just(ENGINE)),
    st.builds(e.EngineUnreachable, attempt=ATTEMPTS, reason=st.text(max_size=5)),
    st.builds(
        e.EngineFailed,
        attempt=ATTEMPTS,
        error=st.text(max_size=5),
        failures=ATTEMPTS,
        retry_at=st.none() | st.datetimes(timezones=st.timezones()),
    ),
    st.builds(
        e.EngineExited,
        attempt=ATTEMPTS,
        exit_code=st.none() | st.integers(0, 255),
        signal=st.none(),
        error=st.text(max_size=5),
        failures=ATTEMPTS,
        rounds=st.integers(1, 4),
        retry_at=st.none() | st.datetimes(timezones=st.timezones()),
    ),
    st.builds(
        e.FlowStalled,
        attempt=ATTEMPTS,
        number=st.integers(1, 20),
        reason=st.text(max_size=5),
        since=st.datetimes(timezones=st.just(UTC)),
        nodes=st.lists(
            st.builds(e.StalledNode, node=st.text(max_size=3), unit=st.just("u"), reason=st.just("r")), max_size=2
        ).map(tuple),
    ),
    st.builds(e.FlowRecovered, attempt=ATTEMPTS, number=st.integers(1, 20)),
    st.builds(e.EngineHealthy, attempt=ATTEMPTS),
    st.builds(e.EngineLost, attempt=ATTEMPTS, reason=st.text(max_size=5)),
    st.builds(e.EngineStopped, attempt=ATTEMPTS, reason=st.text(max_size=5)),
    st.builds(e.FlowSucceeded, attempt=ATTEMPTS),
    st.builds(e.SuccessorStarted, attempt=ATTEMPTS, engine=st.just(ENGINE)),
    st.builds(
        e.ChangeApplied, revision=REVISIONS, attempt=st.none() | ATTEMPTS, engine=st.none() | st.just(ENGINE)
    ),
    st.builds(e.ChangeFailed, revision=REVISIONS, attempt=ATTEMPTS, error=st.text(max_size=5)),
    st.builds(e.JobDeleted),
)
COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.builds(create, JOB_IDS),
    st.builds(delete, JOB_IDS),
    st.builds(
        change,
        JOB_IDS,
        st.sampled_from(GRAPHS),
        st.none() | st.builds(JobOptions, stall_after=REVISIONS.map(float)),
    ),
    st.builds(seen, EVENTS, JOB_IDS, st.integers(1, 2)),
)
SUBMISSIONS = st.lists(st.lists(COMMANDS, min_size=1, max_size=3), max_size=40)


async def _check(url: str, submissions: list[list[Command]]) -> None:
    store = await Store.open(url)
    results = await asyncio.gather(
        *(store.submit_all(commands, CLIENT) for commands in submissions), return_exceptions=True
    )
    assert [one for one in results if isinstance(one, BaseException) and not isinstance(one, JobError)] == []

    jobs: dict[str, Job] = {}
    events = await store.events(limit=1000)
    for recorded in events:
        job = fold(jobs.get(recorded.job_id), recorded)
        if job is None:
            jobs.pop(recorded.job_id, None)
        else:
            jobs[recorded.job_id] = job
    assert {job.job_id: job for job in (await store.snapshot()).jobs} == jobs
    assert await store.verify() == []

    appended = [one for result in results if isinstance(result, tuple) for one in result]
    told = [recorded for one in appended for recorded in one.events]
    assert sorted(told, key=lambda one: one.position) == events
    for middle in (len(events) // 2, 0):
        await _check_changes(store, events[:middle], jobs)
    await store.close()


async def _check_changes(store: Store, known: list[e.Recorded], jobs: dict[str, Job]) -> None:
    """A reader that knows a part of the log and asks for the changes ends with the same jobs."""
    before: dict[str, Job] = {}
    for recorded in known:
        job = fold(before.get(recorded.job_id), recorded)
        before.pop(recorded.job_id, None)
        if job is not None:
            before[recorded.job_id] = job
    changes = await store.changes_since(Mark(Position(len(known))))
    for job in changes.jobs:
        before[job.job_id] = job
    for job_id in changes.gone:
        before.pop(job_id, None)
    assert before == jobs


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SUBMISSIONS)
def test_the_projection_is_the_fold_on_sqlite(submissions: list[list[Command]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'x.db'}"
        upgrade(url)
        asyncio.run(_check(url, submissions))


@pytest.fixture(scope="module")
def template(postgres: Postgres) -> str:
    url = postgres.new_database()
    upgrade(url)
    return url


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(submissions=SUBMISSIONS)
def test_the_projection_is_the_fold_on_postgres(
    postgres: Postgres, template: str, submissions: list[list[Command]]
) -> None:
    url = postgres.new_database(template)
    try:
        asyncio.run(_check(url, submissions))
    finally:
        postgres.drop_database(url)
