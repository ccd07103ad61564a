"""What a runner does next for a job that is being changed, from what the log says and what it holds."""

import pytest

from server.jobs import events as e
from server.jobs.ids import Digest
from server.jobs.options import JobOptions
from server.jobs.state import Job
from server.runner import change as c
from server.runner.change import SecondView, holds_back, next_step
from server.runner.reconcile import EngineView
from tests.jobs.recorded import CREATED, ENGINE, exited, job_after, ready, started

REQUESTED = e.ChangeRequested(revision=2, graph_digest=Digest("e"))
SUCCESSOR = e.SuccessorStarted(attempt=2, engine=ENGINE)
APPLIED = e.ChangeApplied(revision=2, attempt=2, engine=ENGINE)
RUNS = (CREATED, started(), ready())
FIRST = EngineView(1, 1)
SECOND = EngineView(1, 2)


def second(attempt: int = 2, **more: bool) -> SecondView:
    return SecondView(1, attempt, **({"successor": attempt > 1} | more))


@pytest.mark.parametrize(
    ("job", "engine", "beside", "expected"),
    [
        (job_after(*RUNS), FIRST, None, None),
        (job_after(*RUNS, REQUESTED), FIRST, None, c.StartSuccessor(2)),
        (job_after(CREATED, started(), REQUESTED), FIRST, None, c.StartSuccessor(2)),
        (job_after(*RUNS, REQUESTED, exited()), None, None, c.StartSuccessor(2)),
        (job_after(*RUNS, REQUESTED), FIRST, second(), c.RecordSuccessor()),
        (job_after(*RUNS, REQUESTED, SUCCESSOR), FIRST, second(), None),
        (job_after(*RUNS, REQUESTED, SUCCESSOR), FIRST, second(ready=True), c.Apply()),
        (job_after(*RUNS, REQUESTED, SUCCESSOR, exited()), None, second(ready=True), c.Apply()),
        (job_after(*RUNS, REQUESTED, SUCCESSOR), FIRST, second(leaving=True), None),
        (job_after(*RUNS, REQUESTED, SUCCESSOR), FIRST, None, c.StartSuccessor(3)),
        (job_after(*RUNS, REQUESTED, SUCCESSOR, APPLIED), SECOND, second(1), c.TakeOver()),
        (job_after(*RUNS, REQUESTED, SUCCESSOR, APPLIED), SECOND, None, c.TakeOver()),
        (job_after(*RUNS, REQUESTED, SUCCESSOR, APPLIED, ready(2)), SECOND, None, None),
    ],
)
def test_the_next_step(
    job: Job, engine: EngineView | None, beside: SecondView | None, expected: c.ChangeAction | None
) -> None:
    assert next_step(job, engine, beside) == expected


@pytest.mark.parametrize(
    ("events", "beside"),
    [
        ((*RUNS,), second()),
        ((*RUNS, REQUESTED, e.DeleteRequested()), second()),
        ((*RUNS, REQUESTED, SUCCESSOR, e.ChangeFailed(revision=2, error="why")), second()),
        ((*RUNS, REQUESTED, SUCCESSOR, APPLIED, ready(2)), second(1)),
        ((*RUNS, REQUESTED), SecondView(2, 2, successor=True)),
        ((*RUNS, REQUESTED), SecondView(1, 2, successor=False)),
    ],
)
def test_a_second_engine_that_nobody_wants_is_stopped(events: tuple[e.Event, ...], beside: SecondView) -> None:
    assert isinstance(next_step(job_after(*events), FIRST, beside), c.StopSecond)
    assert isinstance(next_step(None, None, beside), c.StopSecond)


def test_while_there_is_a_second_engine_no_third_is_started() -> None:
    crashed = job_after(*RUNS, REQUESTED, SUCCESSOR, exited())
    assert holds_back(crashed, None)
    assert holds_back(crashed, second())
    over = job_after(*RUNS, REQUESTED, SUCCESSOR, exited(), e.ChangeFailed(revision=2, attempt=2, error="why"))
    assert holds_back(over, second(leaving=True))
    assert not holds_back(over, None)
    assert over.next_attempt == 3


def test_a_change_of_a_job_that_was_deleted_is_nobodys_matter() -> None:
    assert next_step(job_after(*RUNS, REQUESTED, e.DeleteRequested()), FIRST, None) is None
    assert JobOptions() == job_after(*RUNS).options
