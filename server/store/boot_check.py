"""What is worth checking each time a process opens the database: whatever costs by live jobs, not by history.

Damage in the middle of a long log is found by `db verify`; what is found here keeps the process from starting.
"""

from collections.abc import Iterator

import sqlalchemy as sa

from server.jobs.events import JobDeleted
from server.jobs.state import Job
from server.store import queries
from server.store.audit import broken_link
from server.store.database import Database
from server.store.errors import Damaged
from server.store.head import Head
from server.store.rows import MEND_JOBS, MEND_LOG
from server.store.tables import EVENT

TAIL = 200
"""How many of the last events are checked, and compared with the projection."""


def check_file(database: Database) -> None:
    """What can be told before anything is read. Raises: Damaged."""
    damage = database.damage()
    if damage:
        raise Damaged(f"database {database} is damaged: {damage}; {MEND_LOG}")


def check(database: Database, connection: sa.Connection) -> None:
    """The chain of the last events up to the head, every row of the projection by its checksum,
    their number, and that those that the last events are about have taken them in.

    Raises: Damaged, which says what to do; SQLAlchemyError.
    """
    head = queries.head(connection)
    for wrong in _log(connection, head):
        raise Damaged(f"the event log in {database} is damaged: {wrong}; {MEND_LOG}")
    for wrong in _projection(connection, head):
        raise Damaged(f"table job in {database} is damaged: {wrong}; {MEND_JOBS}")


def _log(connection: sa.Connection, head: Head) -> Iterator[str]:
    last = connection.scalar(sa.select(sa.func.max(EVENT.c.position))) or 0
    if last != head.position:
        yield f"log_head says that it ends at position {head.position}, it ends at {last}"
    checksum, wrong = broken_link(connection, head.position - TAIL)
    if wrong:
        yield wrong
    if checksum != head.checksum:
        yield f"log_head has another checksum than the last event, at position {head.position}"


def _projection(connection: sa.Connection, head: Head) -> Iterator[str]:
    jobs: dict[str, Job] = {job.job_id: job for job in queries.snapshot(connection).jobs}
    if len(jobs) != head.jobs:
        yield f"it has {len(jobs)} rows, log_head says {head.jobs}"
    latest = sa.select(EVENT.c.job_id, EVENT.c.position, EVENT.c.type).order_by(EVENT.c.position)
    last = {
        job_id: (position, kind)
        for job_id, position, kind in connection.execute(latest.where(EVENT.c.position > head.position - TAIL))
        if job_id is not None
    }
    for job_id, (position, kind) in last.items():
        job = jobs.get(job_id)
        found = job.position if job is not None else None
        expected = None if kind == JobDeleted.type else position
        if found != expected:
            yield f"its row of job {job_id} is at position {found or 'none'}, the log at {position} ({kind})"
