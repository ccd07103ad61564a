"""The events that made the versions of a job, read from the log."""

import msgspec
import sqlalchemy as sa

from server.jobs.events import ChangeApplied, ChangeFailed, ChangeRequested, JobCreated, Recorded
from server.jobs.ids import JobId
from server.store.chain import trusted
from server.store.tables import EVENT

_BEGINNINGS = (JobCreated.type, ChangeRequested.type)
_OUTCOMES = (ChangeApplied.type, ChangeFailed.type)


class VersionEvents(msgspec.Struct, frozen=True):
    """`begun`: what asked for the version; `outcome`: what came of it, None while that is not known, and for the
    first version."""

    number: int
    begun: Recorded
    outcome: Recorded | None = None


def versions_before(
    connection: sa.Connection, job_id: JobId, incarnation: int, before: int, limit: int
) -> list[VersionEvents]:
    """Up to `limit` versions with smaller numbers than `before`, newest first. Their numbers have no holes."""
    numbers = range(before - 1, max(before - 1 - limit, 0), -1)
    if not numbers:
        return []
    mine = sa.select(EVENT).where(EVENT.c.job_id == job_id, EVENT.c.incarnation == incarnation)
    # the nth of them made version n
    first = mine.where(EVENT.c.type.in_(_BEGINNINGS)).order_by(EVENT.c.version).offset(numbers[-1] - 1)
    begun = trusted(connection, connection.execute(first.limit(len(numbers))).all())
    if not begun:
        return []
    after = mine.where(EVENT.c.type.in_(_OUTCOMES), EVENT.c.version > begun[0].version).order_by(EVENT.c.version)
    ends = trusted(connection, connection.execute(after.limit(len(begun))).all())
    outcomes = {_revision(end): end for end in ends}
    found = [VersionEvents(number, one, outcomes.get(number)) for number, one in enumerate(begun, numbers[-1])]
    return found[::-1]


def _revision(outcome: Recorded) -> int:
    event = outcome.event
    assert isinstance(event, ChangeApplied | ChangeFailed)
    return event.revision
