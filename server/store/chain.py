"""Events that somebody reads: each is checked against the one before it, so that none is served changed."""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from server.jobs.events import Recorded
from server.store.audit import UNREADABLE
from server.store.checksums import BEGINNING, Checksum, event_checksum
from server.store.errors import Damaged
from server.store.gaps import checksums_of_gaps
from server.store.rows import MEND_LOG, recorded_of
from server.store.tables import EVENT

_POSITIONS_A_QUERY = 500


def trusted(connection: sa.Connection, rows: Sequence[Sequence[Any]]) -> list[Recorded]:
    """The events of `rows`, which have the columns of `event` in their order. Raises: Damaged."""
    checksums = {row[0]: Checksum(row[-1]) for row in rows}
    before = {row[0] - 1 for row in rows} - checksums.keys()
    checksums |= _checksums_at(connection, before)
    return [_trusted(row, checksums.get(row[0] - 1)) for row in rows]


def _checksums_at(connection: sa.Connection, positions: Iterable[int]) -> dict[int, Checksum]:
    wanted = sorted(positions)
    found = {0: BEGINNING}
    for first in range(0, len(wanted), _POSITIONS_A_QUERY):
        some = wanted[first : first + _POSITIONS_A_QUERY]
        query = sa.select(EVENT.c.position, EVENT.c.checksum).where(EVENT.c.position.in_(some))
        found |= {position: Checksum(checksum) for position, checksum in connection.execute(query)}
        missing = [position for position in some if position not in found]
        if missing:
            found |= checksums_of_gaps(connection, missing)
    return found


def _trusted(row: Sequence[Any], previous: Checksum | None) -> Recorded:
    position = row[0]
    if previous is None:
        raise Damaged(f"the event log is damaged: position {position - 1} is missing; {MEND_LOG}")
    try:
        if event_checksum(previous, row[:-1]) == row[-1]:
            return recorded_of(row)
    except UNREADABLE as error:
        raise Damaged(
            f"the event log is damaged: position {position} cannot be read ({error}); {MEND_LOG}"
        ) from error
    raise Damaged(f"the event log is damaged: position {position} is not as it was written; {MEND_LOG}")
