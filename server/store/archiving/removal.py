"""Lives that are in an archive leave the log: in the transaction in which the log learns where they are."""

from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from server.jobs.commands import Context
from server.jobs.events import EventsArchived
from server.store import queries
from server.store.append import rows_of
from server.store.archiving.file import Contents, Life
from server.store.archiving.selection import is_needed
from server.store.batch import Batch, Submission
from server.store.checksums import Checksum
from server.store.database import Database
from server.store.errors import Refused
from server.store.gaps import archives_at
from server.store.tables import ARCHIVED_JOB, EVENT, LOG_GAP

CONTEXT = Context(actor="archive")


class Removal:
    """Of what an archive holds. Counts what it has removed."""

    def __init__(self, database: Database, contents: Contents, name: str) -> None:
        self._database = database
        self._contents = contents
        self._name = name
        self._archive: int | None = None
        self.jobs = self.events = 0

    def remove(self, connection: sa.Connection, lives: list[Life]) -> tuple[None, bool]:
        """Removes those of `lives` that are still in the log. See Session.write for the result's form.

        Raises: Refused, when the log has other events in their place.
        """
        left = [life for life in lives if self._is_in_log(connection, life)]
        if not left:
            return None, False
        if self._archive is None:
            self._archive = self._known(connection) or self._announce(connection)
        connection.execute(sa.insert(ARCHIVED_JOB), [self._life_values(life) for life in left])
        gaps = self._gaps(left)
        connection.execute(sa.insert(LOG_GAP), gaps)
        for gap in gaps:
            within = EVENT.c.position.between(gap["from_position"], gap["to_position"])
            connection.execute(sa.delete(EVENT).where(within))
        self.jobs += len(left)
        self.events += sum(len(life) for life in left)
        return None, True

    def _is_in_log(self, connection: sa.Connection, life: Life) -> bool:
        first = life[0]
        where = EVENT.c.job_id == first.job_id, EVENT.c.incarnation == first.incarnation
        query = sa.select(EVENT.c.position, EVENT.c.checksum).where(*where).order_by(EVENT.c.version)
        found = [(position, checksum) for position, checksum in connection.execute(query)]
        if not found and self._is_archived(connection, life):
            return False
        name = f"job {first.job_id}, incarnation {first.incarnation}"
        if found != [(event.position, event.checksum) for event in life]:
            raise Refused(f"archive {self._name} does not fit this database: {name}, has other events there")
        if first.position == 1 or is_needed(connection, first.job_id, first.incarnation, bytes(first.data)):
            raise Refused(f"archive {self._name} does not fit this database: {name}, is needed there")
        return True

    def _is_archived(self, connection: sa.Connection, life: Life) -> bool:
        columns = ARCHIVED_JOB.c.from_position, ARCHIVED_JOB.c.to_position
        where = ARCHIVED_JOB.c.job_id == life[0].job_id, ARCHIVED_JOB.c.incarnation == life[0].incarnation
        row = connection.execute(sa.select(*columns).where(*where)).one_or_none()
        return row is not None and tuple(row) == (life[0].position, life[-1].position)

    def _known(self, connection: sa.Connection) -> int | None:
        """The position of the event that names this archive, when one does."""
        archives = connection.scalars(sa.select(ARCHIVED_JOB.c.archive).distinct()).all()
        for position, event in archives_at(connection, archives).items():
            if event.archive == self._contents.head.id:
                return position
        return None

    def _announce(self, connection: sa.Connection) -> int:
        event = EventsArchived(
            archive=self._contents.head.id,
            file=self._name,
            sha256=self._contents.sha256,
            jobs=self._contents.end.jobs,
            events=self._contents.end.events,
        )
        batch = Batch(queries.head(connection), {}, {}, datetime.now(UTC))
        batch.apply(Submission(context=CONTEXT, remark=event))
        self._database.write(connection, rows_of(batch))
        return batch.head.position

    def _life_values(self, life: Life) -> dict[str, Any]:
        first, last = life[0], life[-1]
        return {
            "job_id": first.job_id,
            "incarnation": first.incarnation,
            "events": len(life),
            "from_position": first.position,
            "to_position": last.position,
            "created_at": datetime.fromisoformat(first.recorded_at),
            "deleted_at": datetime.fromisoformat(last.recorded_at),
            "archive": self._archive,
        }

    def _gaps(self, lives: list[Life]) -> list[dict[str, Any]]:
        checksums: dict[int, Checksum] = {event.position: event.checksum for life in lives for event in life}
        gaps = []
        # positions that follow each other are as far from their place in the row as each other
        for _, run in groupby(enumerate(sorted(checksums)), key=lambda numbered: numbered[1] - numbered[0]):
            positions = [position for _, position in run]
            end = positions[-1]
            gaps.append(
                {
                    "to_position": end,
                    "from_position": positions[0],
                    "checksum": checksums[end],
                    "archive": self._archive,
                }
            )
        return gaps
