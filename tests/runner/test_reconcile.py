import pytest

from server.jobs import events as e
from server.jobs.state import Job
from server.runner import reconcile as r
from tests.jobs.recorded import CREATED, START, exited, failed, job_after, ready, started

NEW = job_after(CREATED)
STARTING = job_after(CREATED, started())
RUNNING = job_after(CREATED, started(), ready())
CRASHED = job_after(CREATED, started(), ready(), exited())
FAILED = job_after(CREATED, started(), failed())
DELETING = job_after(CREATED, started(), ready(), e.DeleteRequested())
DELETING_NEW = job_after(CREATED, e.DeleteRequested())
WAITING = job_after(CREATED, started(), ready(), failed(retry_at=START))
MINE = r.EngineView(incarnation=1, attempt=1)


@pytest.mark.parametrize(
    ("job", "engine", "retry_in", "action"),
    [
        (None, None, 0, r.Nothing()),
        (NEW, None, 0, r.StartEngine(1)),
        (STARTING, MINE, 0, r.Nothing()),
        (RUNNING, MINE, 0, r.Nothing()),
        (RUNNING, None, 0, r.RecordLoss()),
        (CRASHED, None, 2.5, r.Wait(2.5)),
        (CRASHED, None, 0, r.StartEngine(2)),
        (WAITING, None, 0, r.StartEngine(2)),
        (FAILED, None, 0, r.Nothing()),
        (DELETING, None, 0, r.RemoveJob()),
        (DELETING_NEW, None, 0, r.RemoveJob()),
        (NEW, MINE, 0, r.RecordStart()),
    ],
)
def test_next_step(job: Job | None, engine: r.EngineView | None, retry_in: float, action: r.Action) -> None:
    assert r.reconcile(job, engine, retry_in) == action


@pytest.mark.parametrize(
    ("job", "engine"),
    [
        (None, MINE),
        (DELETING, MINE),
        (FAILED, MINE),
        (CRASHED, MINE),
        (RUNNING, r.EngineView(incarnation=0, attempt=9)),
        (RUNNING, r.EngineView(incarnation=1, attempt=0)),
    ],
)
def test_an_engine_that_should_not_be_is_stopped(job: Job | None, engine: r.EngineView) -> None:
    assert isinstance(r.reconcile(job, engine, 0), r.StopEngine)


@pytest.mark.parametrize("job", [None, NEW, RUNNING, CRASHED, DELETING, FAILED])
def test_nothing_is_done_to_an_engine_that_is_leaving(job: Job | None) -> None:
    leaving = r.EngineView(incarnation=1, attempt=1, leaving=True)
    assert r.reconcile(job, leaving, 0) == r.Nothing()
