"""What a change of a job comes to, and what the log makes of it."""

from typing import Any

import pytest

from server.jobs import events as e
from server.jobs.change import ChangeJob, OptionsPatch
from server.jobs.commands import Observe, decide
from server.jobs.errors import ChangeUnderWay, InvalidCommand, NoSuchJob
from server.jobs.graph import Graph
from server.jobs.ids import Digest, JobId
from server.jobs.limits import Limits
from server.jobs.options import JobOptions, RestartPolicy
from server.jobs.state import Job
from server.jobs.words import Actual, JobStatus, Outcome
from tests.jobs.recorded import CREATED, ENGINE, exited, failed, job_after, lost, ready, started

GRAPH = Graph.of("toml", "a = 1")
RUNS = (CREATED, started(), ready())
REQUESTED = e.ChangeRequested(revision=2, graph_digest=GRAPH.digest)
SUCCESSOR = e.SuccessorStarted(attempt=2, engine=ENGINE)
APPLIED = e.ChangeApplied(revision=2, attempt=2, engine=ENGINE, endpoints=("http://127.0.0.1:2/y",))
FAILED = e.ChangeFailed(revision=2, attempt=2, error="why")
NEW_POLICY = JobOptions(restart=RestartPolicy(attempts=3))


def change(graph: Graph | None = GRAPH, **more: Any) -> ChangeJob:
    return ChangeJob(job_id=JobId("job"), graph=graph, **more)


def test_a_job_that_runs_waits_for_its_successor() -> None:
    assert decide(job_after(*RUNS), change()) == (REQUESTED,)


def test_what_no_engine_has_to_notice_is_so_at_once() -> None:
    requested, applied = decide(job_after(*RUNS), change(None, options=NEW_POLICY))
    assert isinstance(requested, e.ChangeRequested)
    assert applied == e.ChangeApplied(revision=2)
    job = job_after(*RUNS, requested, applied)
    assert (job.options, job.revision, job.actual, job.attempt) == (NEW_POLICY, 2, Actual.READY, 1)


@pytest.mark.parametrize("options", [JobOptions(limits=Limits(nice=1)), JobOptions(stall_after=5)])
def test_what_an_engine_starts_with_takes_another_engine(options: JobOptions) -> None:
    (requested,) = decide(job_after(*RUNS), change(None, options=options))
    assert isinstance(requested, e.ChangeRequested)


def test_a_job_without_an_engine_is_changed_at_once_and_tried_anew() -> None:
    job = job_after(CREATED, started(), failed())
    assert job.outcome is Outcome.FAILED
    events = decide(job, change())
    assert events == (REQUESTED, e.ChangeApplied(revision=2))
    after = job_after(CREATED, started(), failed(), *events)
    assert (after.status, after.failures, after.error, after.ever_ready) == (JobStatus.PENDING, 0, "", False)
    assert after.next_attempt == 2


def test_a_policy_for_a_job_that_failed_does_not_try_it_again() -> None:
    events = decide(job_after(CREATED, started(), failed()), change(None, options=NEW_POLICY))
    assert job_after(CREATED, started(), failed(), *events).outcome is Outcome.FAILED


def test_what_is_equal_is_no_change() -> None:
    job = job_after(e.JobCreated(graph_digest=GRAPH.digest))
    assert decide(job, change()) == ()
    assert decide(job, change(options=OptionsPatch(patch={"limits": None}))) == ()


@pytest.mark.parametrize(
    ("events", "expected"),
    [((*RUNS, REQUESTED), 0), ((*RUNS, REQUESTED, SUCCESSOR, APPLIED), 0), ((*RUNS,), 7)],
)
def test_one_change_at_a_time_and_of_the_version_that_was_seen(events: Any, expected: int) -> None:
    with pytest.raises(ChangeUnderWay):
        decide(job_after(*events), change(Graph.of("toml", "b = 2"), expected=expected))


@pytest.mark.parametrize("job", [None, job_after(*RUNS, e.DeleteRequested())])
def test_a_job_that_is_gone_is_not_changed(job: Job | None) -> None:
    with pytest.raises(NoSuchJob):
        decide(job, change())


def test_the_switch() -> None:
    waiting = job_after(*RUNS, REQUESTED, SUCCESSOR)
    assert (waiting.revision, waiting.attempt, waiting.graph_digest) == (1, 1, CREATED.graph_digest)
    job = job_after(*RUNS, REQUESTED, SUCCESSOR, APPLIED)
    assert (job.revision, job.attempt, job.graph_digest) == (2, 2, GRAPH.digest)
    assert (job.status, job.endpoints) == (JobStatus.RUNNING, APPLIED.endpoints)
    assert (job.changes.takes_over, job.changes.replaced) == (True, 1)
    serves = job_after(*RUNS, REQUESTED, SUCCESSOR, APPLIED, ready(2))
    assert not serves.changes.takes_over
    stopped = e.EngineStopped(attempt=1, reason="replaced")
    assert job_after(*RUNS, REQUESTED, SUCCESSOR, APPLIED, ready(2), stopped).changes.replaced == 0
    assert decide(serves, Observe(job_id=JobId("job"), incarnation=1, event=stopped)) == (stopped,)


def test_a_successor_that_dies_after_the_switch_is_tried_again_as_any_engine() -> None:
    job = job_after(*RUNS, REQUESTED, SUCCESSOR, APPLIED, exited(2))
    assert (job.status, job.revision, job.changes.takes_over, job.next_attempt) == (JobStatus.PENDING, 2, False, 3)


def test_a_change_that_came_to_nothing_leaves_the_job_as_it_was() -> None:
    job = job_after(*RUNS, REQUESTED, SUCCESSOR, FAILED)
    assert (job.revision, job.attempt, job.status) == (1, 1, JobStatus.RUNNING)
    assert job.changes.pending is None
    assert job.changes.failed is not None
    assert job.changes.failed.message == "why"
    (again,) = decide(job, change())
    assert isinstance(again, e.ChangeRequested)
    assert (again.revision, job.next_attempt) == (3, 3), "numbers are not given twice"
    assert job_after(*RUNS, REQUESTED, SUCCESSOR, FAILED, again).changes.failed is None


@pytest.mark.parametrize("end", [exited(), lost(), failed()])
def test_a_successor_takes_over_from_an_engine_that_is_gone(end: e.Event) -> None:
    job = job_after(*RUNS, REQUESTED, SUCCESSOR, end, APPLIED)
    assert (job.status, job.revision, job.changes.replaced) == (JobStatus.RUNNING, 2, 0)


@pytest.mark.parametrize(
    "late",
    [
        e.SuccessorStarted(attempt=1, engine=ENGINE),
        e.ChangeApplied(revision=3, attempt=2, engine=ENGINE),
        e.ChangeApplied(revision=2, attempt=3, engine=ENGINE),
        e.ChangeFailed(revision=1, error="why"),
    ],
)
def test_words_about_another_change_are_no_news(late: e.Event) -> None:
    job = job_after(*RUNS, REQUESTED, SUCCESSOR)
    assert decide(job, Observe(job_id=JobId("job"), incarnation=1, event=late)) == ()


@pytest.mark.parametrize(
    ("before", "patch", "after"),
    [
        ({}, {"stall_after": 5}, {"stall_after": 5}),
        ({"stall_after": 5}, {"stall_after": None}, {}),
        ({"limits": {"cpu": 2}}, {"limits": {"nice": 3}}, {"limits": {"cpu": 2, "nice": 3}}),
        ({"limits": {"cpu": 2, "nice": 3}}, {"limits": {"cpu": None}}, {"limits": {"memory": 1 << 30, "nice": 3}}),
        ({}, {"restart": {"attempts": 3}}, {"restart": {"attempts": 3, "delay": 7}}),
        ({"restart": {"delay": 1}}, {"restart": {"delay": None}}, {"restart": {"delay": 7}}),
    ],
)
def test_options_are_merged(before: dict[str, Any], patch: dict[str, Any], after: dict[str, Any]) -> None:
    """The server's own: a delay of 7, a gigabyte."""
    given = OptionsPatch(patch=patch, restart=RestartPolicy(delay=7), limits=Limits(memory=1 << 30))
    merged = given.applied_to(_options(before))
    expected = _options(after)
    if "limits" in patch and merged.limits is not None and expected.limits is not None:
        assert (merged.limits.cpu, merged.limits.nice) == (expected.limits.cpu, expected.limits.nice)
    else:
        assert merged == expected


def _options(fields: dict[str, Any]) -> JobOptions:
    return OptionsPatch(patch=fields).applied_to(JobOptions())


def test_an_option_that_makes_no_sense_is_named() -> None:
    with pytest.raises(InvalidCommand, match=r"options\.stall_after"):
        OptionsPatch(patch={"stall_after": "long"}).applied_to(JobOptions())
    assert Digest("d") == CREATED.graph_digest
