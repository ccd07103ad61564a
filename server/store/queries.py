"""Every read, as a function of a connection. What boot uses costs by live jobs, not by the length of history."""

import msgspec
import sqlalchemy as sa

from server.jobs.commands import Graph
from server.jobs.events import JobDeleted, Recorded
from server.jobs.ids import Digest, Epoch, JobId, Position
from server.jobs.state import Job
from server.store.rows import graph_of, job_of, recorded_of
from server.store.tables import EVENT, GRAPH, JOB, LOG_HEAD

LAST_EVENTS = 100
"""How much of a job's end `last_incarnation` reads: months of restarts must not make a boot slow."""


class Snapshot(msgspec.Struct, frozen=True):
    """All live jobs, ordered by id, as the events up to `head` left them. `epoch` is the newest leader's."""

    head: Position
    epoch: Epoch
    jobs: tuple[Job, ...]


class Changes(msgspec.Struct, frozen=True):
    """What is different at `head`. `jobs` are new or changed, `gone` the ids deleted and not created again; an id
    may be in `gone` that was created and deleted since. With `complete`, `jobs` are all that live: whatever else
    the reader knows is gone, and `gone` is empty."""

    head: Position
    epoch: Epoch
    jobs: tuple[Job, ...]
    gone: tuple[JobId, ...]
    complete: bool


def head(connection: sa.Connection) -> tuple[Position, Epoch]:
    row = connection.execute(sa.select(LOG_HEAD.c.position, LOG_HEAD.c.epoch)).one()
    return Position(row.position), Epoch(row.epoch)


def snapshot(connection: sa.Connection) -> Snapshot:
    position, epoch = head(connection)
    rows = connection.execute(sa.select(JOB).order_by(JOB.c.job_id))
    return Snapshot(position, epoch, tuple(job_of(row) for row in rows))


def changes_since(connection: sa.Connection, position: Position) -> Changes:
    now, epoch = head(connection)
    if now == position:
        return Changes(now, epoch, (), (), complete=False)
    if now < position:  # an older state was restored
        return Changes(now, epoch, snapshot(connection).jobs, (), complete=True)
    changed = sa.select(JOB).where(JOB.c.position > position)
    jobs = tuple(job_of(row) for row in connection.execute(changed))
    deleted = sa.select(EVENT.c.job_id).where(EVENT.c.position > position, EVENT.c.type == JobDeleted.type)
    gone = set(connection.scalars(deleted)) - {job.job_id for job in jobs}
    return Changes(now, epoch, jobs, tuple(JobId(job_id) for job_id in gone), complete=False)


def count_jobs(connection: sa.Connection) -> int:
    return connection.scalar(sa.select(sa.func.count()).select_from(JOB)) or 0


def graph(connection: sa.Connection, digest: Digest) -> Graph | None:
    columns = (GRAPH.c.digest, GRAPH.c.format, GRAPH.c.source, GRAPH.c.escaped, GRAPH.c.plan)
    row = connection.execute(sa.select(*columns).where(GRAPH.c.digest == digest)).one_or_none()
    return None if row is None else graph_of(row)


def keep_plan(connection: sa.Connection, digest: Digest, plan: str) -> tuple[None, bool]:
    connection.execute(sa.update(GRAPH).where(GRAPH.c.digest == digest).values(plan=plan))
    return None, True


def events(connection: sa.Connection, after: Position, limit: int, job_id: JobId | None = None) -> list[Recorded]:
    """Up to `limit` events behind `after`, in order; of one job, if asked, over all its incarnations."""
    query = sa.select(EVENT).where(EVENT.c.position > after).order_by(EVENT.c.position).limit(limit)
    if job_id is not None:
        query = _of_job(connection, job_id, after, limit)
    return [recorded_of(row) for row in connection.execute(query)]


def _of_job(
    connection: sa.Connection, job_id: JobId, after: Position, limit: int
) -> sa.Select[tuple[object, ...]]:
    # a job's positions grow with (incarnation, version), so the index of its versions has their order too
    place = sa.tuple_(EVENT.c.incarnation, EVENT.c.version)
    of_job = sa.select(EVENT).where(EVENT.c.job_id == job_id).order_by(EVENT.c.incarnation, EVENT.c.version)
    last_seen = connection.execute(
        sa.select(EVENT.c.incarnation, EVENT.c.version).where(EVENT.c.position == after, EVENT.c.job_id == job_id)
    ).one_or_none()
    if last_seen is not None:  # the next page begins at once, and not after a walk through all pages before
        return of_job.where(place > sa.tuple_(*last_seen)).limit(limit)
    return of_job.where(EVENT.c.position > after).limit(limit)


def last_incarnation(connection: sa.Connection, job_id: JobId) -> tuple[Recorded, ...]:
    newest = (
        sa.select(EVENT.c.incarnation)
        .where(EVENT.c.job_id == job_id)
        .order_by(EVENT.c.incarnation.desc())
        .limit(1)
        .scalar_subquery()
    )
    of_it = sa.select(EVENT).where(EVENT.c.job_id == job_id, EVENT.c.incarnation == newest)
    last = of_it.order_by(EVENT.c.version.desc()).limit(LAST_EVENTS)
    found = {row.version: recorded_of(row) for row in connection.execute(last)}
    if found and 1 not in found:
        found |= {row.version: recorded_of(row) for row in connection.execute(of_it.where(EVENT.c.version == 1))}
    return tuple(found[version] for version in sorted(found))
