"""A job that ends again and again: few rows in the log, the job as if there were all, and nothing of it lost."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.jobs import events as e
from server.jobs.commands import decide
from server.jobs.ids import Position
from server.jobs.options import RestartPolicy
from server.jobs.restart import next_restart
from server.jobs.state import Job, fold
from server.store import Appended, Store
from server.store.batch import Batch, Submission
from server.store.follower import Follower
from server.store.head import EMPTY
from tests.history import History, assert_legal, read_history
from tests.store.jobs import CLIENT, ENGINE, RUNNER, A, create, delete, query, seen

POLICY = RestartPolicy(delay=0.01, delay_max=0.01)


def rows_of(url: str) -> History:
    return read_history(Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite") else url)


def history(url: str) -> list[str]:
    return [row.type for row in rows_of(url)]


def begin_of_round(job: Job) -> tuple[e.Event, e.Event]:
    started = e.EngineStarted(attempt=job.attempt + 1, engine=ENGINE)
    return started, e.EngineReady(attempt=job.attempt + 1, endpoints=("http://127.0.0.1:8080/x",))


def crash(job: Job) -> e.EngineExited:
    retry = next_restart(POLICY, job, job.changed_at, flow_at_fault=False)
    return e.EngineExited(
        attempt=job.attempt,
        exit_code=None,
        signal=11,
        error="Fault, the engine process was ended by signal 11",
        failures=retry.failures,
        rounds=retry.rounds,
        in_interval=retry.in_interval,
        interval_began=retry.interval_began,
        retry_at=retry.at,
    )


def stall_of(job: Job, attempt: int) -> tuple[e.Event, e.Event]:
    number = 1 if job.actual == "none" else job.stalls + 1
    stalled = e.FlowStalled(attempt=attempt, number=number, reason="x", since=job.changed_at, nodes=())
    return stalled, e.FlowRecovered(attempt=attempt, number=number)


async def rounds(store: Store, number: int) -> Job:
    """So many crashes of job-a, one after the other, begin and end of each in transactions of their own."""
    job = {job.job_id: job for job in (await store.snapshot()).jobs}[A]
    for _ in range(number):
        *_, begun = await store.submit_all([seen(event) for event in begin_of_round(job)], RUNNER)
        job = job_after(await store.submit(seen(crash(job_after(begun))), RUNNER))
    return job


def job_after(appended: Appended) -> Job:
    assert appended.job is not None
    return appended.job


async def test_a_thousand_rounds_leave_few_rows(store: Store, url: str) -> None:
    await store.submit(create(), CLIENT)

    job = await rounds(store, 1000)

    assert (job.attempt, job.failures, job.status) == (1000, 1000, "PENDING")
    assert job.last_exit is not None
    assert (job.last_exit.attempt, job.last_exit.signal) == (1000, 11)
    assert await store.read_head() < 100
    assert len(query(url, "SELECT * FROM loop_event")) == 1
    assert await store.verify() == []
    assert (await store.snapshot()).jobs == (job,)
    assert_legal(rows_of(url))
    (uptime,) = query(url, "SELECT attempts FROM job_uptime")
    assert uptime["attempts"] == 1000
    crashes = query(url, "SELECT SUM(attempts) AS n FROM job_attempts WHERE how = 'exited'")
    assert crashes[0]["n"] == 1000


async def test_what_happens_next_brings_the_rest_into_the_log(store: Store, url: str) -> None:
    epoch = await store.elect(RUNNER, "machine-a", 1)
    await store.submit(create(), CLIENT)
    job = await rounds(store, 11)
    for event in begin_of_round(job):
        await store.submit(seen(event), RUNNER)
    before = (await store.snapshot()).jobs
    assert before[0].status == "RUNNING"

    appended = await store.submit(delete(), CLIENT)

    kinds = [recorded.type for recorded in appended.events]
    assert kinds == ["attempts-summed-up", "engine-started", "engine-ready", "delete-requested"]
    summed, started = appended.events[0].event, appended.events[1].event
    assert isinstance(summed, e.AttemptsSummedUp)
    assert (summed.first_attempt, summed.attempt, summed.attempts) == (9, 11, 3)
    assert isinstance(started, e.EngineStarted)
    assert started.attempt == 12
    assert appended.events[0].epoch == epoch
    assert query(url, "SELECT * FROM loop_event") == []
    assert await store.verify() == []
    assert_legal(rows_of(url))
    (row,) = query(url, "SELECT what, why FROM job_history WHERE type = 'attempts-summed-up'")
    assert row["what"].startswith("3 attempts more, up to attempt 11, the last one exited, next try at 20")
    assert "signal 11" in row["why"]


async def test_a_job_that_gets_healthy_is_told_in_the_log(store: Store, url: str) -> None:
    await store.submit(create(), CLIENT)
    job = await rounds(store, 20)
    for event in begin_of_round(job):
        await store.submit(seen(event), RUNNER)
    job = job_after(await store.submit(seen(e.EngineHealthy(attempt=21)), RUNNER))

    assert (job.failures, job.rounds, job.left_out) == (0, 0, 0)
    assert history(url)[-4:] == ["attempts-summed-up", "engine-started", "engine-ready", "engine-healthy"]
    await rounds(store, 1)
    assert history(url)[-1] == "engine-exited"


async def test_a_thousand_stalls_leave_few_rows(store: Store, url: str) -> None:
    await store.submit(create(), CLIENT)
    job = job_after(await store.submit(seen(e.EngineStarted(attempt=1, engine=ENGINE)), RUNNER))
    job = job_after(await store.submit(seen(e.EngineReady(attempt=1)), RUNNER))
    for _ in range(1000):
        *_, over = await store.submit_all([seen(event) for event in stall_of(job, 1)], RUNNER)
        job = job_after(over)

    assert (job.stalls, job.stalled, job.status) == (1000, None, "RUNNING")
    assert await store.read_head() < 50
    assert len(query(url, "SELECT * FROM loop_event")) == 1
    assert await store.verify() == []
    assert_legal(rows_of(url))


async def test_another_process_sees_every_round(store: Store, url: str) -> None:
    other = await Store.open(url)
    follower = Follower(other)
    await store.submit(create(), CLIENT)
    await rounds(store, 10)
    await follower.load()
    for _ in range(3):
        job = await rounds(store, 1)
        assert not follower.is_current()
        await follower.catch_up()
        assert follower.jobs[A] == job
        follower.note(await store.submit(seen(begin_of_round(job)[0]), RUNNER))
        assert follower.jobs[A].status == "CREATEING"
        lost = await store.submit(seen(e.EngineLost(attempt=job.attempt + 1, reason="x")), RUNNER)
        await follower.catch_up()
        assert follower.jobs[A] == lost.job
    await other.close()


async def test_a_rebuild_keeps_what_is_left_out(store: Store, url: str) -> None:
    await store.submit(create(), CLIENT)
    await rounds(store, 13)
    before = (await store.snapshot()).jobs
    query(url, "DELETE FROM job")

    await store.rebuild()

    assert (await store.snapshot()).jobs == before
    assert before[0].left_out > 0
    assert await store.verify() == []


async def test_what_is_left_out_of_another_log_is_found_and_dropped(store: Store, url: str) -> None:
    await store.submit(create(), CLIENT)
    await rounds(store, 13)
    query(url, "UPDATE loop_event SET version = version - 1")

    (found, *others) = await store.verify()

    assert (found.job_id, found.column) == (A, "loop_event")
    assert {one.job_id for one in others} == {A}
    await store.rebuild()
    assert await store.verify() == []
    assert (await store.snapshot()).jobs[0].attempt == 8


async def test_a_refused_command_leaves_what_is_left_out_alone(store: Store, url: str) -> None:
    await store.submit(create(), CLIENT)
    job = await rounds(store, 10)
    left_out = query(url, "SELECT * FROM loop_event")
    again = seen(e.EngineStarted(attempt=11, engine=ENGINE))
    with pytest.raises(Exception, match="already exist"):
        await store.submit_all([again, create()], RUNNER)

    assert query(url, "SELECT * FROM loop_event") == left_out
    assert (await store.snapshot()).jobs == (job,)


ENDS = st.sampled_from(
    ["exit", "fail", "succeed", "lost", "stopped", "unreachable", "healthy", "adopted", "stall", "stalls", "no"]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(ENDS, max_size=60), st.integers(1, 10_000))
def test_the_job_is_as_if_all_were_logged(ends: list[str], seconds: int) -> None:
    """Random lives, once through the batch that leaves rounds out, once event by event through the fold."""
    batch = Batch(EMPTY, {}, {}, datetime(2026, 1, 1, tzinfo=UTC))
    (created,) = batch.apply(Submission(commands=[create()], context=CLIENT))
    job = plain = job_after(created)
    for end in ends:
        for event in _round(job, end):
            batch._now += timedelta(milliseconds=seconds)
            (appended,) = batch.apply(Submission(commands=[seen(event)], context=RUNNER))
            job = job_after(appended)
            plain = _folded(plain, event, batch.now)
            assert _without_place(job) == _without_place(plain)
            assert len(batch.loops.get(A, ())) <= 5
    _assert_log_leads_to(batch, job)


def _round(job: Job, end: str) -> Sequence[e.Event]:
    attempt = job.attempt + (job.actual == "none")
    begin = begin_of_round(job) if job.actual == "none" else ()
    ended = msgspec.structs.replace(job, attempt=attempt)
    exited = crash(ended)
    counts = {"failures": exited.failures, "rounds": exited.rounds, "in_interval": exited.in_interval}
    last: dict[str, tuple[e.Event, ...]] = {
        "exit": (exited,),
        "fail": (e.EngineFailed(attempt=attempt, error="x", retry_at=exited.retry_at, **counts),),  # type: ignore
        "succeed": (e.FlowSucceeded(attempt=attempt, rounds=job.rounds + 1, retry_at=exited.retry_at),),
        "lost": (e.EngineLost(attempt=attempt, reason="x"),),
        "stopped": (e.EngineStopped(attempt=attempt, reason="x"),),
        "unreachable": (e.EngineUnreachable(attempt=attempt, reason="x"), e.EngineReady(attempt=attempt)),
        "healthy": (e.EngineHealthy(attempt=attempt),),
        "adopted": (e.EngineAdopted(attempt=attempt, engine=ENGINE),),
        "stall": (*stall_of(job, attempt), exited) if job.rounds % 2 else stall_of(job, attempt)[:1],
        "stalls": stall_of(job, attempt) * 2,
        "no": (),
    }
    return (*begin, *last[end])


def _folded(job: Job, event: e.Event, at: datetime) -> Job:
    for decided in decide(job, seen(event)):
        after = fold(job, _recorded(decided, job.version + 1, at))
        assert after is not None
        job = after
    return job


def _recorded(event: e.Event, version: int, at: datetime) -> e.Recorded:
    return e.Recorded(
        position=Position(version),
        job_id=A,
        incarnation=1,
        version=version,
        event=event,
        type=event.type,
        schema_version=1,
        actor="runner",
        request_id="",
        idempotency_key=None,
        epoch=None,
        recorded_at=at,
    )


def _without_place(job: Job) -> Job:
    return msgspec.structs.replace(job, position=Position(0), version=0, left_out=0)


def _assert_log_leads_to(batch: Batch, job: Job) -> None:
    """Once something else happens, the log alone says how the job stands."""
    batch.apply(Submission(commands=[delete()], context=CLIENT))
    versions = [row["version"] for row in batch.events]
    assert versions == list(range(1, len(versions) + 1))
    folded: Job | None = None
    for row in batch.events:
        event = e.decode_event(row["type"], 1, row["data"])
        folded = fold(folded, _recorded(event, row["version"], row["recorded_at"]))
    assert folded == batch.jobs[A]
    assert folded is not None
    undeleted = msgspec.structs.replace(
        folded, desired=job.desired, changed_at=job.changed_at, generation=job.generation
    )
    assert _without_place(undeleted) == _without_place(job)
