"""Is the database still what it was? A log that is shorter than what was on record, or another at that place, is
noticed: a standby that took over without the last transactions, a file replaced by an older copy.

Each process keeps in memory how far it has seen the log; the runner keeps it in a file of the state directory too.
"""

import os
from pathlib import Path

import msgspec
import sqlalchemy as sa

from server.jobs.ids import Epoch, Position
from server.store.checksums import BEGINNING, Checksum
from server.store.errors import HistoryLost
from server.store.gaps import ARCHIVED, gap_checksum_at_known
from server.store.head import Head, head_of
from server.store.tables import EVENT, LOG_HEAD

FILE = "seen.json"
COLUMNS_OF_HEAD = len(LOG_HEAD.columns)


class Seen(msgspec.Struct, frozen=True):
    """An event that is known to be on disk, in `database` (its URL without password), while `epoch` led."""

    database: str
    position: Position
    epoch: Epoch
    checksum: Checksum


class Watermark:
    """The last event that a process knows to be on disk. Used by the threads of one store."""

    def __init__(self, database: str, seen: Seen | None = None) -> None:
        self._database = database
        self._seen = seen if seen is not None and seen.database == database else self._nothing()

    @property
    def seen(self) -> Seen:
        """To be read before a transaction begins: what it reads then is as new as this, or something is wrong."""
        return self._seen

    def check(self, connection: sa.Connection, seen: Seen) -> Head:
        """The log's head. Raises: HistoryLost, when `seen` is not in the log."""
        row = connection.execute(head_and_known(), {"known": seen.position}).one()
        head = head_of(row[:COLUMNS_OF_HEAD])
        self.compare(seen, head, row[COLUMNS_OF_HEAD])
        return head

    def compare(self, seen: Seen, head: Head, found: object) -> None:
        """As `check`; `found` is the checksum that the event at the position of `seen` has."""
        if seen.position == 0 or head.fence > seen.epoch:
            return  # nothing is known, or what is known was given up
        if head.position < seen.position:
            raise HistoryLost(
                f"database {self._database} has lost events: its log ends at position {head.position}, and events"
                f" up to position {seen.position} were on disk; {WHAT_TO_DO}"
            )
        # only what ended long before can be in an archive, and another history has not archived the same positions
        if found not in (seen.checksum, ARCHIVED):
            raise HistoryLost(
                f"database {self._database} has another history: at position {seen.position} its log has another"
                f" event than the one that was on disk; {WHAT_TO_DO}"
            )

    def take(self, head: Head) -> None:
        """`head` was read, and checked, or committed."""
        seen = self._seen
        if head.position > seen.position or head.epoch > seen.epoch:
            self._seen = Seen(self._database, head.position, head.epoch, head.checksum)

    def _nothing(self) -> Seen:
        return Seen(self._database, Position(0), Epoch(0), BEGINNING)


WHAT_TO_DO = (
    "bring the right database back, or, to go on without those events, run `modelbox-server db accept-loss`;"
    " engines go on meanwhile"
)


def head_and_known() -> sa.Select[tuple[object, ...]]:
    """The log's head, and the checksum of the event at the position `known`."""
    return sa.select(*LOG_HEAD.columns, checksum_at_known())


def checksum_at_known() -> sa.ColumnElement[str]:
    """ARCHIVED, when the event is in an archive and nobody has its checksum."""
    in_log = sa.select(EVENT.c.checksum).where(EVENT.c.position == sa.bindparam("known")).scalar_subquery()
    return sa.func.coalesce(in_log, gap_checksum_at_known())


def checksum_at(connection: sa.Connection, position: Position) -> Checksum | None:
    """As `checksum_at_known`."""
    return connection.scalar(sa.select(checksum_at_known()), {"known": position})


def load(state_dir: Path) -> Seen | None:
    """What the runner of this installation had seen last; None when there is nothing to read. Blocking."""
    try:
        return msgspec.json.decode((state_dir / FILE).read_bytes(), type=Seen)
    except (OSError, msgspec.DecodeError):
        return None


def save(state_dir: Path, seen: Seen) -> None:
    """All of it or nothing. Not synced: what it is about is on disk, and a file from before says less but nothing
    wrong. Blocking. Raises: OSError."""
    prepared = state_dir / f".{FILE}.{os.getpid()}"
    prepared.write_bytes(msgspec.json.encode(seen))
    prepared.rename(state_dir / FILE)
