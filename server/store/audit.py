"""The event log, read row by row without trust: what is wrong with it is a list, never an exception."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from server.jobs.crash_loop import fold_left_out
from server.jobs.events import ChangeRequested, EventsArchived, JobCreated, Recorded
from server.jobs.ids import Digest, JobId, Position
from server.jobs.state import Job, fold
from server.store.checksums import BEGINNING, Checksum, event_checksum
from server.store.gaps import Gap, archived_lives, gaps_from
from server.store.queries import LeftOut
from server.store.rows import recorded_of
from server.store.tables import EVENT

EVENTS_A_READ = 5_000
UNREADABLE = (ValueError, TypeError, AttributeError, KeyError, msgspec.MsgspecError)
"""What reading a row of any content may raise."""
UNKNOWN = Checksum("?")
"""The checksum of a row that cannot be read: nothing can be said of the one behind it."""

# times raw: one that is no time any more must not end the reading
_COLUMNS = [
    sa.type_coerce(column, sa.types.NullType()).label(column.name) if column.name == "recorded_at" else column
    for column in EVENT.columns
]


class Difference(msgspec.Struct, frozen=True):
    """Something that is not as it was written. `job_id` is "" when it is about the log itself, `position` 0 when
    it is about no event. `column` says what: a column, with its table's name where that is not `job`."""

    job_id: str
    column: str
    expected: str
    found: str
    position: int = 0

    def __str__(self) -> str:
        where = f"job {self.job_id}" if self.job_id else "log"
        if self.position:
            where = f"position {self.position}, {where}"
        return f"{where}: {self.column} is {self.found}, expected {self.expected}"


class Audit:
    """The fold over events in order, and what is wrong with that order and with each of them.

    Each event's checksum is compared with the one that is stored with its predecessor, so that one damaged row is
    one finding and not one for each row behind it.
    """

    def __init__(self, gaps: Iterable[Gap] = (), archived: Collection[tuple[JobId, int]] = ()) -> None:
        """`gaps` are those behind the first event, in order, `archived` the incarnations that are in archives."""
        self.position = Position(0)
        self.checksum = BEGINNING
        self.jobs: dict[JobId, Job] = {}
        self.archives: dict[int, EventsArchived] = {}
        self.digests: dict[Digest, JobId] = {}
        self.differences: list[Difference] = []
        self._last: dict[JobId, tuple[int, int]] = {}
        self._gaps = iter(gaps)
        self._gap = next(self._gaps, None)
        self._archived = archived

    def add_row(self, row: Sequence[Any]) -> None:
        """The next row, with the columns of `event` in their order."""
        self.add_link(row)
        try:
            self._add(recorded_of(_with_time(row)))
        except UNREADABLE as error:
            self._found(_job_id(row), row[0], "event", "a row that can be read", f"unreadable ({error})")

    def add_link(self, row: Sequence[Any]) -> None:
        """As `add_row`, but only for the row's place in the chain."""
        position = Position(row[0])
        self._pass_gaps(position)
        if position != self.position + 1:
            self._found(_job_id(row), position, "event.position", str(self.position + 1), str(position))
        elif self.checksum != UNKNOWN:
            self._check_checksum(row)
        self.position, self.checksum = position, Checksum(str(row[-1]))

    def add_left_out(self, left_out: LeftOut) -> bool:
        """Once all events are in: what stands beside the log about one job. False when it belongs to another state
        of the log, and thus changes nothing."""
        first = left_out.events[0]
        job = self.jobs.get(first.job_id)
        place = (first.incarnation, first.version, first.position)
        expected = None if job is None else (job.incarnation, job.version, job.position)
        if job is None or place != expected:
            self._found(first.job_id, 0, "loop_event", f"after {expected}", f"after {place}")
            return False
        for recorded in left_out.events:
            job = fold_left_out(job, recorded, left_out.number)
        self.jobs[job.job_id] = job
        return True

    def add_unreadable(self, position: Position, reason: str) -> None:
        self._pass_gaps(position)
        self._found("", position, "event", "a row that can be read", f"unreadable ({reason})")
        self.position, self.checksum = position, UNKNOWN

    def add_end(self) -> None:
        """All events are in."""
        while self._gap is not None:
            self._found("", self._gap.to_position, "log_gap", "an event behind it", "none")
            self._gap = next(self._gaps, None)

    def _pass_gaps(self, position: Position) -> None:
        """Over those before `position`, whose checksum the event behind them chains to."""
        while self._gap is not None and self._gap.to_position < position:
            gap = self._gap
            if gap.from_position != self.position + 1:
                found = f"a gap from {gap.from_position}"
                self._found("", gap.to_position, "log_gap", f"position {self.position + 1}", found)
            self.position, self.checksum = Position(gap.to_position), gap.checksum
            self._gap = next(self._gaps, None)
        if self._gap is not None and self._gap.from_position <= position:
            self._found("", position, "log_gap", "no event within it", "an event")

    def _check_checksum(self, row: Sequence[Any]) -> None:
        try:
            expected = event_checksum(self.checksum, _with_time(row)[:-1])
        except UNREADABLE:
            return  # told by whoever reads the row's contents
        if row[-1] != expected:
            self._found(_job_id(row), row[0], "event.checksum", expected, str(row[-1]))

    def _add(self, recorded: Recorded) -> None:
        if isinstance(recorded.event, EventsArchived):
            self.archives[recorded.position] = recorded.event
        if not recorded.job_id:
            return
        self._check_version(recorded)
        if isinstance(recorded.event, JobCreated | ChangeRequested):
            self.digests[recorded.event.graph_digest] = recorded.job_id
        job = fold(self.jobs.get(recorded.job_id), recorded)
        if job is None:
            self.jobs.pop(recorded.job_id, None)
        else:
            self.jobs[recorded.job_id] = job

    def _check_version(self, recorded: Recorded) -> None:
        incarnation, version = self._last.get(recorded.job_id, (0, 0))
        expected = (incarnation, version + 1)
        if isinstance(recorded.event, JobCreated):
            expected = (self._incarnation_after(recorded.job_id, incarnation), 1)
        found = (recorded.incarnation, recorded.version)
        if found != expected:
            self._found(recorded.job_id, recorded.position, "event.version", str(expected), str(found))
        self._last[recorded.job_id] = found

    def _incarnation_after(self, job_id: JobId, incarnation: int) -> int:
        incarnation += 1
        while (job_id, incarnation) in self._archived:
            incarnation += 1
        return incarnation

    def _found(self, job_id: str, position: int, column: str, expected: str, found: str) -> None:
        self.differences.append(Difference(job_id, column, expected, found, position))


def audit_log(connection: sa.Connection, after: Audit | None = None) -> Audit:
    """Reads all events behind those of `after`. Raises: SQLAlchemyError, when the table cannot be read at all."""
    audit = after or Audit(gaps_from(connection, 1), archived_lives(connection))
    while page := list(_page(connection, audit.position)):
        for row in page:
            if isinstance(row, _Unreadable):
                audit.add_unreadable(row.position, row.reason)
            else:
                audit.add_row(row)
    audit.add_end()
    return audit


class _Unreadable(msgspec.Struct, frozen=True):
    position: Position
    reason: str


def _page(connection: sa.Connection, after: Position) -> Iterator[Sequence[Any] | _Unreadable]:
    query = sa.select(*_COLUMNS).order_by(EVENT.c.position).limit(EVENTS_A_READ)
    try:
        yield from connection.execute(query.where(EVENT.c.position > after)).all()
        return
    except SQLAlchemyError:
        if connection.dialect.name != "sqlite":  # elsewhere the transaction is over
            raise
    positions = sa.select(EVENT.c.position).where(EVENT.c.position > after).order_by(EVENT.c.position)
    for position in connection.scalars(positions.limit(EVENTS_A_READ)).all():
        try:
            yield connection.execute(query.where(EVENT.c.position == position)).one()
        except SQLAlchemyError as error:
            yield _Unreadable(Position(position), " ".join(str(getattr(error, "orig", error)).split()))


def _job_id(row: Sequence[Any]) -> str:
    return str(row[1] or "")


def _with_time(row: Sequence[Any]) -> tuple[Any, ...]:
    at = row[-2]
    return (*row[:-2], datetime.fromisoformat(at) if isinstance(at, str) else at, row[-1])


def broken_link(connection: sa.Connection, after: int) -> tuple[Checksum, str]:
    """Checks that the events behind position `after` chain without a hole. Returns the last one's checksum, and
    what is wrong, "" when nothing is."""
    query = sa.select(*_COLUMNS).where(EVENT.c.position >= after).order_by(EVENT.c.position)
    rows = list(connection.execute(query))
    first = rows.pop(0) if rows and after > 0 else None
    audit = Audit(gaps_from(connection, first[0] if first is not None else 1))
    if first is not None:
        audit.position, audit.checksum = first[0], first[-1]
    for row in rows:
        audit.add_link(row)
    return audit.checksum, str(audit.differences[0]) if audit.differences else ""
