"""Commands and events for tests, and plain SQL on the test's database."""

from typing import Any

import sqlalchemy as sa

from server.jobs import events as e
from server.jobs.commands import ChangeJob, Context, CreateJob, DeleteJob, Graph, Observe
from server.jobs.ids import JobId
from server.jobs.options import JobOptions
from server.store import Appended, Store
from server.store.checksums import BEGINNING, HASHED, event_checksum
from server.store.tables import EVENT, LOG_HEAD
from server.store.urls import database_of

CLIENT = Context(actor="10.0.0.7", request_id="req-1")
RUNNER = Context(actor="runner")
ENGINE = e.EngineIdentity(4711, 123456789, "5c1e-boot", "machine-a", "/run/a")
GRAPH = Graph.of("json", '{"graph": "a"}')
A = JobId("job-a")
B = JobId("job-b")


def create(job_id: JobId = A, graph: Graph = GRAPH) -> CreateJob:
    return CreateJob(job_id=job_id, graph=graph)


def change(job_id: JobId = A, graph: Graph | None = GRAPH, options: JobOptions | None = None) -> ChangeJob:
    return ChangeJob(job_id=job_id, graph=graph, options=options)


def delete(job_id: JobId = A) -> DeleteJob:
    return DeleteJob(job_id=job_id)


def seen(event: e.Event, job_id: JobId = A, incarnation: int = 1) -> Observe:
    return Observe(job_id=job_id, incarnation=incarnation, event=event)


def started(attempt: int = 1, job_id: JobId = A, incarnation: int = 1) -> Observe:
    return seen(e.EngineStarted(attempt=attempt, engine=ENGINE), job_id, incarnation)


def ready(attempt: int = 1, job_id: JobId = A, incarnation: int = 1) -> Observe:
    return seen(e.EngineReady(attempt=attempt, endpoints=("http://127.0.0.1:8080/x",)), job_id, incarnation)


async def created_and_deleted(store: Store, job_id: JobId = A, incarnation: int = 1) -> tuple[Appended, ...]:
    """One whole life of a job."""
    await store.submit(create(job_id), CLIENT)
    await store.submit_all([started(1, job_id, incarnation), ready(1, job_id, incarnation)], RUNNER)
    await store.submit(delete(job_id), CLIENT)
    stopped = seen(e.EngineStopped(attempt=1, reason="deleted"), job_id, incarnation)
    return await store.submit_all([stopped, seen(e.JobDeleted(), job_id, incarnation)], RUNNER)


def query(url: str, sql: str) -> list[dict[str, Any]]:
    """Rows of plain SQL, committed at once, on a connection that knows nothing of the store's."""
    with database_of(url).connect() as connection:
        result = connection.execute(sa.text(sql))
        return [dict(row) for row in result.mappings()] if result.returns_rows else []


def unlock(url: str) -> None:
    """Lets the rows of the log be changed and deleted: without it, no damage could be done in SQL."""
    where = "" if url.startswith("sqlite") else " ON event"
    query(url, f"DROP TRIGGER event_is_not_changed{where}")
    query(url, f"DROP TRIGGER event_is_not_deleted{where}")


def rechain(url: str) -> None:
    """Gives rows that were changed the checksums that they would have if they had been written so."""
    checksum = BEGINNING
    with database_of(url).connect() as connection:
        for row in connection.execute(sa.select(EVENT).order_by(EVENT.c.position)).all():
            checksum = event_checksum(checksum, row[: len(HASHED)])
            of_row = sa.update(EVENT).where(EVENT.c.position == row.position)
            connection.execute(of_row.values(checksum=checksum))
        connection.execute(sa.update(LOG_HEAD).values(checksum=checksum))
