"""Stop, start, restart and delete, as pure functions: what is news, what the fold makes of it, what follows."""

import pytest

from server.jobs import events as e
from server.jobs.commands import decide
from server.jobs.errors import NoSuchJob
from server.jobs.ids import JobId
from server.jobs.options import InitialState, JobOptions
from server.jobs.orders import DeleteJob, Order, RestartJob, StartJob, StopJob
from server.jobs.state import Job
from server.jobs.words import Actual, Desired, JobStatus, Outcome
from server.runner import reconcile as r
from tests.jobs.recorded import CREATED, START, exited, failed, job_after, ready, started

ID = JobId("job")
STOP, START_IT, RESTART = StopJob(job_id=ID), StartJob(job_id=ID), RestartJob(job_id=ID)
ONLY_FAILED = RestartJob(job_id=ID, only_failed=True)
UP = (CREATED, started(), ready())
NEW = job_after(CREATED)
RUNNING = job_after(*UP)
WAITING = job_after(*UP, exited(retry_at=START))
FAILED = job_after(CREATED, started(), failed())
STOPPING = job_after(*UP, e.StopRequested())
STOPPED = job_after(*UP, e.StopRequested(), e.EngineStopped(attempt=1, reason="job stopped"))
RENEWING = job_after(*UP, e.RestartRequested())
MINE = r.EngineView(incarnation=1, attempt=1)


@pytest.mark.parametrize(
    ("job", "order", "events"),
    [
        (RUNNING, STOP, (e.StopRequested(),)),
        (WAITING, STOP, (e.StopRequested(),)),
        (NEW, STOP, (e.StopRequested(),)),
        (FAILED, STOP, ()),
        (STOPPING, STOP, ()),
        (STOPPED, STOP, ()),
        (STOPPING, StopJob(job_id=ID, grace=3), (e.StopRequested(grace=3),)),
        (RUNNING, START_IT, ()),
        (NEW, START_IT, ()),
        (WAITING, START_IT, (e.StartRequested(),)),
        (STOPPING, START_IT, (e.StartRequested(),)),
        (STOPPED, START_IT, (e.StartRequested(),)),
        (FAILED, START_IT, (e.StartRequested(),)),
        (RUNNING, RESTART, (e.RestartRequested(),)),
        (WAITING, RESTART, (e.RestartRequested(),)),
        (STOPPED, RESTART, (e.RestartRequested(),)),
        (FAILED, RESTART, (e.RestartRequested(),)),
        (NEW, RESTART, ()),
        (RENEWING, RESTART, ()),
        (RENEWING, RestartJob(job_id=ID, grace=0), (e.RestartRequested(grace=0),)),
        (RUNNING, ONLY_FAILED, ()),
        (WAITING, ONLY_FAILED, ()),
        (FAILED, ONLY_FAILED, (e.RestartRequested(),)),
        (RUNNING, DeleteJob(job_id=ID, grace=9), (e.DeleteRequested(grace=9),)),
    ],
)
def test_what_is_news(job: Job, order: Order, events: tuple[e.Event, ...]) -> None:
    assert decide(job, order) == events


def test_a_delete_is_only_shortened() -> None:
    deleting = job_after(*UP, e.DeleteRequested(grace=9))
    assert decide(deleting, DeleteJob(job_id=ID)) == ()
    assert decide(deleting, DeleteJob(job_id=ID, grace=10)) == ()
    assert decide(deleting, DeleteJob(job_id=ID, grace=0)) == (e.DeleteRequested(grace=0),)


@pytest.mark.parametrize("order", [STOP, START_IT, RESTART])
def test_nothing_else_is_done_to_a_job_that_is_being_deleted(order: Order) -> None:
    for job in (None, job_after(*UP, e.DeleteRequested())):
        with pytest.raises(NoSuchJob):
            decide(job, order)


def test_a_stopped_job() -> None:
    assert (STOPPED.status, STOPPED.desired, STOPPED.actual) == (JobStatus.PENDING, Desired.STOPPED, Actual.NONE)
    assert r.reconcile(STOPPED, None, 0) == r.ReleasePorts()
    stopped_while_waiting = job_after(*UP, exited(retry_at=START), e.StopRequested())
    assert stopped_while_waiting.retry_at is None
    created = e.JobCreated(
        graph_digest=CREATED.graph_digest, options=JobOptions(initial_state=InitialState.STOPPED)
    )
    assert job_after(created).desired is Desired.STOPPED


@pytest.mark.parametrize("end", [exited(retry_at=None), failed(), e.FlowSucceeded(attempt=1)])
@pytest.mark.parametrize("asked", [e.StopRequested(), e.RestartRequested()])
def test_an_end_that_was_asked_for_is_no_outcome(end: e.Event, asked: e.Event) -> None:
    job = job_after(*UP, asked, end)
    assert (job.outcome, job.actual, job.failures, job.retry_at) == (Outcome.OPEN, Actual.NONE, 0, None)
    assert job.last_exit is not None


def test_the_engine_of_a_stopped_job_is_stopped_and_that_of_a_renewed_one_too() -> None:
    assert r.reconcile(STOPPING, MINE, 0) == r.StopEngine("job stopped")
    assert r.reconcile(RENEWING, MINE, 0) == r.StopEngine("another engine is wanted")
    gone = job_after(*UP, e.RestartRequested(), e.EngineStopped(attempt=1, reason="restart requested"))
    assert r.reconcile(gone, None, 0) == r.StartEngine(2)
    again = job_after(*UP, e.RestartRequested(), e.EngineStopped(attempt=1, reason=""), started(2), ready(2))
    assert r.reconcile(again, r.EngineView(incarnation=1, attempt=2), 0) == r.Nothing()


def test_an_engine_that_nobody_knows_is_put_on_record_before_it_is_stopped() -> None:
    """Its attempt's number must not be given to another."""
    assert r.reconcile(job_after(CREATED, e.StopRequested()), MINE, 0) == r.RecordStart()


def test_a_start_while_the_engine_is_being_stopped_brings_another_one() -> None:
    job = job_after(*UP, e.StopRequested(), e.StartRequested())
    assert r.reconcile(job, MINE, 0) == r.StopEngine("another engine is wanted")


@pytest.mark.parametrize(
    ("given", "asked", "is_told"), [(30, 5, True), (30, 0, True), (5, 5, False), (5, 30, False)]
)
def test_an_engine_that_leaves_is_told_when_it_is_wanted_sooner(given: float, asked: float, is_told: bool) -> None:
    leaving = r.EngineView(incarnation=1, attempt=1, leaving=True, grace=given)
    job = job_after(*UP, e.DeleteRequested(grace=asked))
    assert isinstance(r.reconcile(job, leaving, 0), r.StopEngine) is is_told
