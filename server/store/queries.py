"""Every read, as a function of a connection. What boot uses costs by live jobs, not by the length of history."""

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from server.jobs.commands import Graph
from server.jobs.events import JobDeleted, Recorded
from server.jobs.ids import Digest, Epoch, JobId, Position
from server.jobs.state import Job
from server.store.gaps import newest_archived
from server.store.head import Head, head_of
from server.store.rows import graph_of, job_of, left_out_of, plan_values, recorded_of
from server.store.tables import ARCHIVED_JOB, EVENT, GRAPH, JOB, LOG_HEAD, LOOP_EVENT

NO_FENCE = Epoch(0)
LAST_EVENTS = 100
"""How much of a job's end `last_incarnation` reads: months of restarts must not make a boot slow."""


class Mark(NamedTuple):
    """What tells one state of the jobs from another: the log's last position, and how many changes were ever left
    out of it (jobs/crash_loop), both of which only grow; and its fence, see Head: with another one it is another
    log."""

    position: Position
    left_out: int = 0
    fence: Epoch = NO_FENCE


class LeftOut(msgspec.Struct, frozen=True):
    """What stands beside the log about one job; `number` is that of the last change, counted from the job's last
    event in the log."""

    number: int
    events: tuple[Recorded, ...]


class Snapshot(msgspec.Struct, frozen=True):
    """All live jobs, ordered by id, as the events up to `head` left them, and what was left out of the log since.
    `epoch` is the newest leader's."""

    head: Position
    epoch: Epoch
    jobs: tuple[Job, ...]
    left_out: int = 0
    fence: Epoch = NO_FENCE

    @property
    def mark(self) -> "Mark":
        return Mark(self.head, self.left_out, self.fence)


class Changes(msgspec.Struct, frozen=True):
    """What is different at `head`. `jobs` are new or changed, `gone` the ids deleted and not created again; an id
    may be in `gone` that was created and deleted since. With `complete`, `jobs` are all that live: whatever else
    the reader knows is gone, and `gone` is empty."""

    head: Position
    epoch: Epoch
    jobs: tuple[Job, ...]
    gone: tuple[JobId, ...]
    complete: bool
    left_out: int = 0
    fence: Epoch = NO_FENCE

    @property
    def mark(self) -> Mark:
        return Mark(self.head, self.left_out, self.fence)


def head(connection: sa.Connection) -> Head:
    return head_of(connection.execute(sa.select(*LOG_HEAD.columns)).one())


def mark(connection: sa.Connection) -> Mark:
    row = connection.execute(sa.select(LOG_HEAD.c.position, LOG_HEAD.c.left_out, LOG_HEAD.c.fence)).one()
    return Mark(Position(row.position), row.left_out, Epoch(row.fence))


def snapshot(connection: sa.Connection) -> Snapshot:
    now = head(connection)
    rows = connection.execute(sa.select(JOB).order_by(JOB.c.job_id))
    return Snapshot(now.position, now.epoch, tuple(job_of(row) for row in rows), now.left_out, now.fence)


def changes_since(connection: sa.Connection, before: Mark) -> Changes:
    end = head(connection)
    mark = Mark(end.position, end.left_out, end.fence)
    if mark == before:
        return Changes(end.position, end.epoch, (), (), complete=False, left_out=end.left_out, fence=end.fence)
    if mark.fence != before.fence or mark.position < before.position or mark.left_out < before.left_out:
        # another log: a backup was restored
        jobs = snapshot(connection).jobs
        return Changes(end.position, end.epoch, jobs, (), complete=True, left_out=end.left_out, fence=end.fence)
    changed = sa.select(JOB).where(JOB.c.position > before.position)
    jobs = tuple(job_of(row) for row in connection.execute(changed))
    if mark.left_out > before.left_out:
        looping = sa.select(LOOP_EVENT.c.job_id).where(LOOP_EVENT.c.mark > before.left_out)
        others = sa.select(JOB).where(JOB.c.job_id.in_(looping), JOB.c.position <= before.position)
        jobs += tuple(job_of(row) for row in connection.execute(others))
    deleted = sa.select(EVENT.c.job_id).where(EVENT.c.position > before.position, EVENT.c.type == JobDeleted.type)
    archived = sa.select(ARCHIVED_JOB.c.job_id).where(ARCHIVED_JOB.c.to_position > before.position)
    gone = set(connection.scalars(sa.union_all(deleted, archived))) - {job.job_id for job in jobs}
    ids = tuple(JobId(job_id) for job_id in gone)
    return Changes(end.position, end.epoch, jobs, ids, complete=False, left_out=end.left_out, fence=end.fence)


def left_out(connection: sa.Connection, job_ids: Sequence[JobId] | None = None) -> dict[JobId, LeftOut]:
    """What is left out of the log about these jobs, or about all."""
    query = sa.select(LOOP_EVENT).order_by(LOOP_EVENT.c.job_id, LOOP_EVENT.c.number)
    if job_ids is not None:
        query = query.where(LOOP_EVENT.c.job_id.in_(job_ids))
    found: dict[JobId, LeftOut] = {}
    for row in connection.execute(query):
        number, recorded = left_out_of(row)
        before = found[recorded.job_id].events if recorded.job_id in found else ()
        found[recorded.job_id] = LeftOut(number, (*before, recorded))
    return found


def graph(connection: sa.Connection, digest: Digest) -> Graph | None:
    columns = (
        GRAPH.c.digest,
        GRAPH.c.format,
        GRAPH.c.source,
        GRAPH.c.escaped,
        GRAPH.c.plan,
        GRAPH.c.plan_checksum,
    )
    row = connection.execute(sa.select(*columns).where(GRAPH.c.digest == digest)).one_or_none()
    return None if row is None else graph_of(row)


def keep_plan(connection: sa.Connection, digest: Digest, plan: str) -> tuple[None, bool]:
    connection.execute(sa.update(GRAPH).where(GRAPH.c.digest == digest).values(**plan_values(plan)))
    return None, True


def events(connection: sa.Connection, after: Position, limit: int, job_id: JobId | None = None) -> list[Recorded]:
    """Up to `limit` events behind `after`, in order; of one job, if asked, over all its incarnations."""
    query = sa.select(EVENT).where(EVENT.c.position > after).order_by(EVENT.c.position).limit(limit)
    if job_id is not None:
        query = of_job(connection, job_id, after, limit)
    return [recorded_of(row) for row in connection.execute(query)]


def log_name(connection: sa.Connection) -> str:
    """Tells this log from any other, one that took its place included; "" while it is empty. A backup of it has
    the same name."""
    first = events(connection, Position(0), 1)
    # of columns that no version of the program reads in another way
    words = (f"{one.recorded_at.isoformat()} {one.type} {one.actor} {one.request_id}" for one in first)
    return next((sha256(text.encode()).hexdigest()[:12] for text in words), "")


def of_job(connection: sa.Connection, job_id: JobId, after: Position, limit: int) -> sa.Select[tuple[object, ...]]:
    """Selects up to `limit` events of a job behind `after`, oldest first."""
    of_it = sa.select(EVENT).where(EVENT.c.job_id == job_id).order_by(EVENT.c.incarnation, EVENT.c.version)
    place = _place_of(connection, job_id, after)
    if place is not None:  # the next page begins at once, and not after a walk through all pages before
        return of_it.where(_places() > place).limit(limit)
    return of_it.where(EVENT.c.position > after).limit(limit)


def of_job_backwards(
    connection: sa.Connection, job_id: JobId, before: Position | None, limit: int
) -> sa.Select[tuple[object, ...]]:
    """Selects up to `limit` events of a job before `before`, or its last ones, newest first."""
    newest = sa.select(EVENT).where(EVENT.c.job_id == job_id)
    newest = newest.order_by(EVENT.c.incarnation.desc(), EVENT.c.version.desc()).limit(limit)
    if before is None:
        return newest
    place = _place_of(connection, job_id, before)
    return newest.where(EVENT.c.position < before if place is None else _places() < place)


def _places() -> sa.Tuple:
    # a job's positions grow with (incarnation, version), so the index of its versions has their order too
    return sa.tuple_(EVENT.c.incarnation, EVENT.c.version)


def _place_of(connection: sa.Connection, job_id: JobId, position: Position) -> sa.Tuple | None:
    """The place of a job's event among all of that job; None when the event at that position is of another."""
    at = sa.select(EVENT.c.incarnation, EVENT.c.version).where(EVENT.c.position == position)
    row = connection.execute(at.where(EVENT.c.job_id == job_id)).one_or_none()
    return None if row is None else sa.tuple_(*row)


def last_incarnation(connection: sa.Connection, job_id: JobId) -> tuple[Recorded, ...]:
    """How the newest job of that id began and ended; nothing, when there is none or it is in an archive."""
    newest = (
        sa.select(EVENT.c.incarnation)
        .where(EVENT.c.job_id == job_id)
        .order_by(EVENT.c.incarnation.desc())
        .limit(1)
        .scalar_subquery()
    )
    of_it = sa.select(EVENT).where(EVENT.c.job_id == job_id, EVENT.c.incarnation == newest)
    of_it = of_it.where(EVENT.c.incarnation > sa.func.coalesce(newest_archived(sa.literal(job_id)), 0))
    last = of_it.order_by(EVENT.c.version.desc()).limit(LAST_EVENTS)
    found = {row.version: recorded_of(row) for row in connection.execute(last)}
    if found and 1 not in found:
        found |= {row.version: recorded_of(row) for row in connection.execute(of_it.where(EVENT.c.version == 1))}
    return tuple(found[version] for version in sorted(found))
