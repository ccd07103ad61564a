"""What the log does not have any more, because it is in an archive: gaps of the chain, and lives of jobs.

Readers get an entry in their place, so that nobody takes what is left for all that there was.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from server.jobs.events import EventsArchived, InArchive, Recorded
from server.jobs.ids import JobId, Position
from server.store.checksums import Checksum
from server.store.errors import Damaged
from server.store.rows import MEND_LOG, recorded_of
from server.store.tables import ARCHIVED_JOB, EVENT, LOG_GAP

GAPS_A_READ = 5_000
ARCHIVED = Checksum("archived")
"""Stands for the checksum of an event within a gap, which nobody keeps."""


class Gap(NamedTuple):
    """A row of `log_gap`: positions that have no event, the last one's checksum, and the position of the event
    that names the archive."""

    to_position: int
    from_position: int
    checksum: Checksum
    archive: int

    @property
    def events(self) -> int:
        return self.to_position - self.from_position + 1


def gaps_from(connection: sa.Connection, position: int) -> Iterator[Gap]:
    """All gaps that end at `position` or behind it, in order."""
    page = sa.select(*LOG_GAP.columns).order_by(LOG_GAP.c.to_position).limit(GAPS_A_READ)
    while rows := connection.execute(page.where(LOG_GAP.c.to_position >= position)).all():
        yield from (Gap(*row) for row in rows)
        position = rows[-1].to_position + 1


def checksums_of_gaps(connection: sa.Connection, positions: Sequence[int]) -> dict[int, Checksum]:
    """Of those of `positions` at which a gap ends."""
    query = sa.select(LOG_GAP.c.to_position, LOG_GAP.c.checksum).where(LOG_GAP.c.to_position.in_(positions))
    return {position: Checksum(checksum) for position, checksum in connection.execute(query)}


def gap_checksum_at_known() -> sa.ScalarSelect[str]:
    """That of the gap that ends at the position `known`; ARCHIVED when it is within one, NULL when in none."""
    known: sa.BindParameter[int] = sa.bindparam("known", type_=sa.BigInteger)
    nearest = sa.select(sa.func.min(LOG_GAP.c.to_position)).where(LOG_GAP.c.to_position >= known).scalar_subquery()
    found = sa.case((LOG_GAP.c.to_position == known, LOG_GAP.c.checksum), else_=ARCHIVED)
    in_it = sa.select(found).where(LOG_GAP.c.to_position == nearest, LOG_GAP.c.from_position <= known)
    return in_it.scalar_subquery()


def newest_archived(job_id: sa.ColumnElement[str]) -> sa.ScalarSelect[int]:
    """The newest incarnation of a job that is in an archive; NULL when none is."""
    newest = sa.select(ARCHIVED_JOB.c.incarnation).where(ARCHIVED_JOB.c.job_id == job_id)
    return newest.order_by(ARCHIVED_JOB.c.incarnation.desc()).limit(1).scalar_subquery()


def archived_lives(connection: sa.Connection) -> set[tuple[JobId, int]]:
    """Job id and incarnation of all that is in archives."""
    lives = sa.select(ARCHIVED_JOB.c.job_id, ARCHIVED_JOB.c.incarnation)
    return {(JobId(job_id), incarnation) for job_id, incarnation in connection.execute(lives)}


def is_archived(connection: sa.Connection, job_id: JobId) -> bool:
    one = sa.select(ARCHIVED_JOB.c.incarnation).where(ARCHIVED_JOB.c.job_id == job_id).limit(1)
    return connection.execute(one).one_or_none() is not None


def gap_entries(connection: sa.Connection, after: Position, limit: int) -> tuple[list[Recorded], bool]:
    """In place of the events of the first `limit` gaps behind `after`; one for gaps of one archive that adjoin.
    And whether there may be more gaps."""
    query = sa.select(*LOG_GAP.columns).where(LOG_GAP.c.to_position > after).order_by(LOG_GAP.c.to_position)
    rows = connection.execute(query.limit(limit)).all()
    gaps = _joined(Gap(*row) for row in rows)
    archives = _archives(connection, {gap.archive for gap in gaps})
    entries = [_entry(archives[gap.archive], gap.from_position, gap.to_position, gap.events) for gap in gaps]
    return entries, len(rows) == limit


def life_entries(
    connection: sa.Connection, job_id: JobId, cursor: Position | None, limit: int, *, newest_first: bool
) -> list[Recorded]:
    """In place of the events of a job's incarnations that are archived, up to `limit` of them, beyond `cursor` in
    the order asked for."""
    place = ARCHIVED_JOB.c.to_position
    query = sa.select(*ARCHIVED_JOB.columns).where(ARCHIVED_JOB.c.job_id == job_id).limit(limit)
    if cursor is not None:
        query = query.where(place < cursor if newest_first else place > cursor)
    rows = connection.execute(query.order_by(place.desc() if newest_first else place)).all()
    archives = _archives(connection, {row.archive for row in rows})
    return [
        msgspec.structs.replace(
            _entry(archives[row.archive], row.from_position, row.to_position, row.events),
            job_id=job_id,
            incarnation=row.incarnation,
        )
        for row in rows
    ]


def _joined(gaps: Iterable[Gap]) -> list[Gap]:
    joined: list[Gap] = []
    for gap in gaps:
        before = joined[-1] if joined else None
        if before is not None and (before.to_position, before.archive) == (gap.from_position - 1, gap.archive):
            joined[-1] = gap._replace(from_position=before.from_position)
        else:
            joined.append(gap)
    return joined


def archives_at(connection: sa.Connection, positions: Iterable[int]) -> dict[int, EventsArchived]:
    """What the events at `positions` say of archives; those are left out that say nothing."""
    found = _recorded_at(connection, positions)
    return {one.position: one.event for one in found if isinstance(one.event, EventsArchived)}


def _archives(connection: sa.Connection, positions: set[int]) -> dict[int, Recorded]:
    found: dict[int, Recorded] = {one.position: one for one in _recorded_at(connection, positions)}
    for position in positions:
        if position not in found or not isinstance(found[position].event, EventsArchived):
            raise Damaged(f"the event log is damaged: position {position} names no archive; {MEND_LOG}")
    return found


def _recorded_at(connection: sa.Connection, positions: Iterable[int]) -> list[Recorded]:
    wanted = sorted(positions)
    if not wanted:
        return []
    return [recorded_of(row) for row in connection.execute(sa.select(EVENT).where(EVENT.c.position.in_(wanted)))]


def _entry(archive: Recorded, begin: int, end: int, events: int) -> Recorded:
    assert isinstance(archive.event, EventsArchived)
    event = InArchive(from_position=begin, to_position=end, events=events, file=archive.event.file)
    return msgspec.structs.replace(
        archive, position=Position(end), event=event, type=InArchive.type, schema_version=event.schema_version
    )
