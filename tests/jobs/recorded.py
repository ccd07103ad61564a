"""Builds recorded events, as the store would hand them out."""

from datetime import UTC, datetime, timedelta

from server.jobs import events as e
from server.jobs.ids import Digest, Epoch, JobId, Position
from server.jobs.state import Job, fold

START = datetime(2026, 1, 1, tzinfo=UTC)
ENGINE = e.EngineIdentity(pid=7, start_time=1, boot_id="b", host="h", run_dir="/r")


def recorded(position: int, event: e.Event, incarnation: int = 1, version: int | None = None) -> e.Recorded:
    return e.Recorded(
        position=Position(position),
        job_id=JobId("job"),
        incarnation=incarnation,
        version=version or position,
        event=event,
        type=event.type,
        schema_version=1,
        actor="test",
        request_id="",
        idempotency_key=None,
        epoch=Epoch(1),
        recorded_at=START + timedelta(seconds=position),
    )


def after(*events: e.Event) -> Job | None:
    """The job after these events, one a second."""
    job: Job | None = None
    for position, event in enumerate(events, 1):
        job = fold(job, recorded(position, event))
    return job


def job_after(*events: e.Event) -> Job:
    job = after(*events)
    assert job is not None
    return job


CREATED = e.JobCreated(graph_digest=Digest("d"))


def started(attempt: int = 1) -> e.EngineStarted:
    return e.EngineStarted(attempt=attempt, engine=ENGINE)


def ready(attempt: int = 1) -> e.EngineReady:
    return e.EngineReady(attempt=attempt, endpoints=("http://127.0.0.1:1/x",))


def failed(attempt: int = 1, retry_at: datetime | None = None, failures: int = 1) -> e.EngineFailed:
    return e.EngineFailed(attempt=attempt, error="Fault, why", failures=failures, retry_at=retry_at)


def exited(attempt: int = 1, retry_at: datetime | None = START, failures: int = 1) -> e.EngineExited:
    return e.EngineExited(
        attempt=attempt, exit_code=None, signal=9, error="Fault, killed", failures=failures, retry_at=retry_at
    )


def lost(attempt: int = 1) -> e.EngineLost:
    return e.EngineLost(attempt=attempt, reason="gone")
