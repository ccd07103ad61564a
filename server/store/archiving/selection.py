"""Which lives of jobs may leave the log: those that ended, and that nothing in the log has need of."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
import sqlalchemy as sa

from server.jobs.events import JobCreated, JobDeleted
from server.jobs.ids import JobId
from server.store.gaps import newest_archived
from server.store.session import Session
from server.store.tables import EVENT, LOG_GAP

LIVES_A_READ = 500
FILE_ORIGIN = "file"


def deleted_lives(session: Session, before: datetime) -> Iterator[tuple[JobId, int]]:
    """Job id and incarnation of all lives that ended before that, in the order in which they began.

    A life that ended does not change any more, so they need not be read from one state.
    """
    created, deleted = EVENT.alias("created"), EVENT.alias("deleted")
    is_over = (
        sa.select(deleted.c.position)
        .where(
            deleted.c.job_id == created.c.job_id,
            deleted.c.incarnation == created.c.incarnation,
            deleted.c.type == JobDeleted.type,
            deleted.c.recorded_at < before,
        )
        .exists()
    )
    columns = created.c.position, created.c.job_id, created.c.incarnation, created.c.data
    page = sa.select(*columns).where(created.c.type == JobCreated.type, is_over).order_by(created.c.position)
    # the first event of all is the log's name
    last = 1
    while rows := session.read(partial(_rows, query=page.where(created.c.position > last).limit(LIVES_A_READ))):
        for row in rows:
            of_it = partial(is_needed, job_id=row.job_id, incarnation=row.incarnation, created=row.data)
            if not session.read(of_it):
                yield JobId(row.job_id), row.incarnation
        last = rows[-1].position


def _rows(connection: sa.Connection, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
    return connection.execute(query).all()


def is_needed(connection: sa.Connection, job_id: str, incarnation: int, created: str | bytes) -> bool:
    """Whether a boot has to know of this life, whose first event has the data `created`: that a local file's job
    was deleted is not to be forgotten."""
    if msgspec.json.decode(created).get("origin") != FILE_ORIGIN:
        return False
    newest = sa.select(sa.func.max(EVENT.c.incarnation)).where(EVENT.c.job_id == job_id).scalar_subquery()
    in_log, in_archive = connection.execute(sa.select(newest, newest_archived(sa.literal(job_id)))).one()
    return incarnation >= max(in_log or 0, in_archive or 0)


def rows_of_life(session: Session, job_id: JobId, incarnation: int) -> Sequence[sa.RowMapping]:
    """All events of a life, and with each, as `previous`, the checksum of the one before it in the log; NULL when
    there is none."""
    before = EVENT.alias("before")
    in_log = sa.select(before.c.checksum).where(before.c.position == EVENT.c.position - 1).scalar_subquery()
    of_gap = sa.select(LOG_GAP.c.checksum).where(LOG_GAP.c.to_position == EVENT.c.position - 1).scalar_subquery()
    query = sa.select(*EVENT.columns, sa.func.coalesce(in_log, of_gap).label("previous"))
    query = query.where(EVENT.c.job_id == job_id, EVENT.c.incarnation == incarnation).order_by(EVENT.c.version)
    return session.read(lambda connection: connection.execute(query).mappings().all())
