from datetime import timedelta

import pytest

from server.jobs.options import Restart, RestartPolicy
from server.jobs.restart import STARTS_WITHOUT_SUCCESS, next_restart, restart_after_success
from server.jobs.state import Job
from tests.jobs.recorded import CREATED, START, exited, failed, job_after, ready, started

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
    assert restart_after_success(never, START) is None


def test_attempts_are_failures_in_a_row() -> None:
    twice = RestartPolicy(attempts=2)
    for failures, goes_on in [(0, True), (1, True), (2, False)]:
        job = crashed(failures)
        retry = next_restart(twice, job, job.changed_at, flow_at_fault=False)
        assert (retry.at is not None) is goes_on


def test_always_runs_a_flow_again_that_came_to_its_end() -> None:
    always = RestartPolicy(policy=Restart.ALWAYS, delay=3)
    assert restart_after_success(always, START) == START + timedelta(seconds=3)
    assert restart_after_success(RestartPolicy(), START) is None
