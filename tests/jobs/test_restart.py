from datetime import timedelta

import msgspec
import pytest

from server.jobs import events as e
from server.jobs.options import Restart, RestartPolicy
from server.jobs.restart import STARTS_WITHOUT_SUCCESS, after_success, healthy_at, next_restart
from server.jobs.state import Job, fold
from tests.jobs.recorded import CREATED, START, exited, failed, job_after, ready, recorded, started

POLICY = RestartPolicy(delay=1.0, delay_max=10.0, healthy_after=30.0)


def crashed(times: int) -> Job:
    events = [CREATED, started(), ready()]
    for attempt in range(1, times + 1):
        events += [exited(attempt, failures=attempt), started(attempt + 1), ready(attempt + 1)]
    return job_after(*events)


def test_a_flow_that_was_never_ready_is_not_tried_again() -> None:
    assert next_restart(POLICY, job_after(CREATED, started()), START, flow_at_fault=True).at is None


def test_a_process_that_dies_before_the_flow_is_ready_is_tried_a_few_times() -> None:
    events = [CREATED]
    for attempt in range(1, STARTS_WITHOUT_SUCCESS):
        events.append(started(attempt))
        retry = next_restart(POLICY, job_after(*events), START, flow_at_fault=False)
        assert retry.at is not None
        events.append(exited(attempt, failures=retry.failures))
    events.append(started(STARTS_WITHOUT_SUCCESS))
    assert next_restart(POLICY, job_after(*events), START, flow_at_fault=False).at is None


@pytest.mark.parametrize(("failures", "seconds"), [(0, 1), (1, 2), (2, 4), (3, 8), (4, 10), (5, 10)])
def test_the_delay_doubles_up_to_its_cap(failures: int, seconds: int) -> None:
    job = crashed(failures)
    retry = next_restart(POLICY, job, job.changed_at, flow_at_fault=False)
    assert retry.failures == failures + 1
    assert retry.at == job.changed_at + timedelta(seconds=seconds)


def test_a_thousand_failures_overflow_nothing() -> None:
    job = job_after(CREATED, started(), ready(), exited(failures=1000), started(2), ready(2))
    retry = next_restart(POLICY, job, job.changed_at, flow_at_fault=False)
    assert retry.at == job.changed_at + timedelta(seconds=10)


def test_a_job_that_ran_well_for_a_while_counts_anew() -> None:
    job = crashed(4)
    later = job.changed_at + timedelta(seconds=30)
    assert next_restart(POLICY, job, later, flow_at_fault=True).failures == 1


def test_failing_after_having_been_ready_is_tried_again() -> None:
    job = job_after(CREATED, started(), ready(), failed(retry_at=START), started(2))
    assert next_restart(POLICY, job, START, flow_at_fault=True).at is not None


def test_never_means_never() -> None:
    never = RestartPolicy(policy=Restart.NEVER)
    assert next_restart(never, crashed(0), START, flow_at_fault=False).at is None
    assert after_success(never, crashed(0), START).at is None


def failed_again(policy: RestartPolicy, job: Job, seconds: float) -> tuple[Job, bool]:
    """The job after one more crash, so many seconds after the last word on it, and whether it is tried again."""
    now = job.changed_at + timedelta(seconds=seconds)
    retry = next_restart(policy, job, now, flow_at_fault=False)
    crash = e.EngineExited(
        attempt=job.attempt,
        exit_code=1,
        signal=None,
        error="Fault",
        failures=retry.failures,
        rounds=retry.rounds,
        in_interval=retry.in_interval,
        interval_began=retry.interval_began,
        retry_at=now,
    )
    for event in (crash, started(job.attempt + 1), ready(job.attempt + 1)):
        seen = recorded(job.position + 1, event)
        after = fold(job, msgspec.structs.replace(seen, recorded_at=now))
        assert after is not None
        job = after
    return job, retry.at is not None


@pytest.mark.parametrize(
    ("interval", "pauses", "goes_on"),
    [
        (0, [1, 20, 20, 1], [True, True, False, False]),  # in a row, however long that takes
        (60, [1, 1, 1, 1], [True, True, False, False]),
        (60, [1, 29, 29, 2], [True, True, False, True]),  # the first one is out of the interval by then
        (2, [1, 20, 20, 20], [True, True, True, True]),
    ],
)
def test_attempts_are_failures_within_the_interval(
    interval: float, pauses: list[float], goes_on: list[bool]
) -> None:
    policy = RestartPolicy(attempts=2, interval=interval)
    job = crashed(0)
    found = []
    for pause in pauses:
        job, again = failed_again(policy, job, pause)
        found.append(again)
    assert found == goes_on
    assert job.failures == job.rounds == len(pauses)


def test_a_clock_that_was_set_back_begins_a_new_interval() -> None:
    policy = RestartPolicy(attempts=1, interval=60)
    job, _ = failed_again(policy, crashed(0), 1)
    retry = next_restart(policy, job, job.changed_at - timedelta(hours=1), flow_at_fault=False)
    assert (retry.in_interval, retry.at is not None) == (1, True)


def test_chance_shortens_the_delay_and_never_lengthens_it() -> None:
    policy = RestartPolicy(delay=100, delay_max=100, jitter=0.3)
    job = crashed(0)
    for chance, seconds in [(0.0, 100), (0.5, 85), (1.0, 70)]:
        retry = next_restart(policy, job, START, flow_at_fault=False, chance=chance)
        assert retry.at == START + timedelta(seconds=seconds)


def test_a_job_that_runs_well_after_ends_is_to_be_forgiven_them() -> None:
    job = crashed(2)
    assert job.ready_at is not None
    assert healthy_at(POLICY, job) == job.ready_at + timedelta(seconds=30)
    healthy = fold(job, recorded(99, e.EngineHealthy(attempt=job.attempt)))
    assert healthy is not None
    assert (healthy.failures, healthy.rounds, healthy.in_interval, healthy.interval_began) == (0, 0, 0, None)
    assert healthy_at(POLICY, healthy) is None
    assert healthy_at(POLICY, job_after(CREATED, started())) is None


def stalled(job: Job, after_ready: float) -> Job:
    """The job whose flow makes no progress since so long after it was ready."""
    assert job.ready_at is not None
    since = job.ready_at + timedelta(seconds=after_ready)
    event = e.FlowStalled(attempt=job.attempt, number=1, reason="x", since=since, nodes=())
    after = fold(job, recorded(job.position + 1, event))
    assert after is not None
    return after


@pytest.mark.parametrize(("after_ready", "failures"), [(1, 3), (31, 1)])
def test_a_flow_that_stalls_does_not_run_well(after_ready: float, failures: int) -> None:
    job = stalled(crashed(2), after_ready)
    assert healthy_at(POLICY, job) is None
    now = job.changed_at + timedelta(hours=1)
    assert next_restart(POLICY, job, now, flow_at_fault=True).failures == failures


def test_a_flow_runs_well_when_its_stall_would_have_been_told() -> None:
    job = crashed(1)
    assert job.ready_at is not None
    ends_stalls = RestartPolicy(on_stall=True, healthy_after=10)
    assert healthy_at(ends_stalls, job, stall_after=60) == job.ready_at + timedelta(seconds=90)
    assert healthy_at(RestartPolicy(healthy_after=10), job, stall_after=60) == job.ready_at + timedelta(seconds=10)


def test_always_runs_a_flow_again_that_came_to_its_end() -> None:
    always = RestartPolicy(policy=Restart.ALWAYS, delay=3)
    job = crashed(1)
    assert after_success(always, job, job.changed_at).at == job.changed_at + timedelta(seconds=3)
    assert after_success(always, job, job.changed_at).rounds == 1 + job.rounds
    assert after_success(RestartPolicy(), job, START).at is None
