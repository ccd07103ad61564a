"""Reading the log: a page of what happened, of all jobs or of one, forwards or backwards.

On a thread of its own, so that who reads long histories does not keep those waiting who ask for a status.
"""

from operator import attrgetter
from typing import Any

import msgspec
import sqlalchemy as sa

from server.jobs.events import InArchive, Recorded
from server.jobs.ids import Epoch, JobId, Position
from server.store import queries
from server.store.call_times import together
from server.store.chain import trusted
from server.store.errors import Damaged
from server.store.gaps import gap_entries, is_archived, life_entries
from server.store.labels import last_labels
from server.store.reader import Reader
from server.store.rows import MEND_LOG, is_storable
from server.store.seen import Watermark
from server.store.tables import EVENT
from server.store.urls import database_of
from server.store.versions import VersionEvents, versions_before
from server.tally import Durations

MOST_LOOKED_AT = 20_000
"""How many events a page may look through for those of a rare type."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which events; no types: all. What stands in place of events that are in an archive is always wanted."""

    job_id: JobId | None = None
    types: frozenset[str] = frozenset()

    def matches(self, job_id: JobId, event_type: str) -> bool:
        return (self.job_id is None or self.job_id == job_id) and (
            not self.types or event_type in self.types or event_type == InArchive.type
        )


class LogPage(msgspec.Struct, frozen=True):
    """`events` are all that are wanted behind the position asked for, up to `looked_at`; `head`: the log's end.
    With another `fence` it is another log, see Head."""

    events: tuple[Recorded, ...]
    looked_at: Position
    head: Position
    fence: Epoch


class History:
    """Every method may raise StoreUnavailable, and Damaged when an event is not as it was written."""

    def __init__(self, url: str, watermark: Watermark | None = None) -> None:
        """`watermark` is the one of a store that this process has open. Raises: StoreUnavailable, for a URL that
        names no database."""
        database = database_of(url)
        self._reader = Reader(database, "store-history", watermark or Watermark(str(database)))

    def call_times(self) -> dict[str, Durations]:
        """How long calls to the database took so far, by their kind."""
        return together((self._reader.times,))

    async def close(self) -> None:
        await self._reader.close()

    async def after(self, position: Position, limit: int, wanted: Wanted) -> LogPage:
        """Up to `limit` events behind `position`, oldest first."""
        return await self._reader.run(lambda connection: page_after(connection, position, limit, wanted))

    async def newest(self, limit: int) -> LogPage:
        """The last `limit` events of the log, oldest first."""
        return await self._reader.run(lambda connection: newest_page(connection, limit))

    async def of_job(
        self, job_id: JobId, cursor: Position | None, limit: int, *, newest_first: bool
    ) -> list[Recorded] | None:
        """Up to `limit` events of all incarnations of a job, each that is archived being one, beyond `cursor` in
        the order asked for; None when there never was a job of that id."""
        if not is_storable(job_id):
            return None
        return await self._reader.run(
            lambda connection: page_of_job(connection, job_id, cursor, limit, newest_first=newest_first)
        )

    async def last_labels(self, job_id: JobId, incarnation: int | None) -> tuple[dict[str, str], bool] | None:
        """See labels.py."""
        if not is_storable(job_id):
            return None
        return await self._reader.run(lambda connection: last_labels(connection, job_id, incarnation))

    async def versions(self, job_id: JobId, incarnation: int, before: int, limit: int) -> list[VersionEvents]:
        """Up to `limit` versions of a job with smaller numbers than `before`, newest first."""
        return await self._reader.run(
            lambda connection: versions_before(connection, job_id, incarnation, before, limit)
        )

    async def is_known(self, job_id: JobId) -> bool:
        """Whether there is a job of that id, or ever was one."""
        return is_storable(job_id) and await self._reader.run(lambda connection: is_known(connection, job_id))


def page_after(connection: sa.Connection, position: Position, limit: int, wanted: Wanted) -> LogPage:
    head_now = queries.head(connection)
    end = head = head_now.position
    if wanted.job_id is not None and not is_storable(wanted.job_id):
        return LogPage((), end, head, head_now.fence)
    if wanted.job_id is not None:
        query = queries.of_job(connection, wanted.job_id, position, limit)
    else:
        query = sa.select(EVENT).where(EVENT.c.position > position).order_by(EVENT.c.position).limit(limit)
        if wanted.types:
            end = Position(min(head, position + MOST_LOOKED_AT))
            query = query.where(EVENT.c.position <= end)
    if wanted.types:
        query = query.where(EVENT.c.type.in_(sorted(wanted.types)))
    events = _recorded(connection, query)
    if wanted.job_id is not None:
        gaps = life_entries(connection, wanted.job_id, position, limit, newest_first=False)
        are_more = len(gaps) == limit
    else:
        gaps, are_more = gap_entries(connection, position, limit)
    known_to = [max(end, position)]
    known_to += [events[-1].position] if len(events) == limit else []
    known_to += [gaps[-1].position] if are_more else []
    found = [one for one in merged(events, gaps) if one.position <= min(known_to)]
    looked_at = found[limit - 1].position if len(found) >= limit else min(known_to)
    return LogPage(tuple(found[:limit]), looked_at, head, head_now.fence)


def newest_page(connection: sa.Connection, limit: int) -> LogPage:
    head_now = queries.head(connection)
    head = head_now.position
    last = sa.select(EVENT).where(EVENT.c.position > head - limit).order_by(EVENT.c.position)
    gaps, _ = gap_entries(connection, Position(head - limit), limit)
    return LogPage(tuple(merged(_recorded(connection, last), gaps)), head, head, head_now.fence)


def page_of_job(
    connection: sa.Connection, job_id: JobId, cursor: Position | None, limit: int, *, newest_first: bool
) -> list[Recorded] | None:
    if newest_first:
        query = queries.of_job_backwards(connection, job_id, cursor, limit)
    else:
        query = queries.of_job(connection, job_id, cursor or Position(0), limit)
    lives = life_entries(connection, job_id, cursor, limit, newest_first=newest_first)
    events = merged(_recorded(connection, query), lives, newest_first=newest_first)[:limit]
    return events if events or is_known(connection, job_id) else None


def merged(events: list[Recorded], gaps: list[Recorded], *, newest_first: bool = False) -> list[Recorded]:
    return sorted([*events, *gaps], key=attrgetter("position"), reverse=newest_first) if gaps else events


def is_known(connection: sa.Connection, job_id: JobId) -> bool:
    one = sa.select(EVENT.c.position).where(EVENT.c.job_id == job_id).limit(1)
    return connection.execute(one).one_or_none() is not None or is_archived(connection, job_id)


def _recorded(connection: sa.Connection, query: sa.Select[tuple[Any, ...]]) -> list[Recorded]:
    try:
        rows = connection.execute(query).all()
    except ValueError as error:  # a time that is none
        raise Damaged(f"the event log is damaged: an event cannot be read ({error}); {MEND_LOG}") from error
    return trusted(connection, rows)
