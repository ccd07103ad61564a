"""Graphs that only archived events name: they are in the archive too, and leave the database last."""

from collections.abc import Sequence
from functools import partial

import msgspec
import sqlalchemy as sa

from server.jobs.events import EVENT_TYPES
from server.jobs.ids import Position
from server.store import queries
from server.store.archiving.file import Life
from server.store.session import Session
from server.store.tables import EVENT, GRAPH, JOB

EVENTS_A_READ = 5_000
GRAPHS_A_BATCH = 500
FIELDS = {
    kind.type: tuple(name for name in kind.__struct_fields__ if name.endswith("graph_digest"))
    for kind in EVENT_TYPES.values()
    if any(name.endswith("graph_digest") for name in kind.__struct_fields__)
}
"""Event type to its fields that name graphs."""


def digests_in(life: Life) -> set[str]:
    """Of the graphs that its events name."""
    return {digest for event in life for digest in _named(event.type, bytes(event.data))}


def remove_graphs(session: Session, digests: Sequence[str]) -> int:
    """Removes those of the graphs that no event and no job names any more; returns how many."""
    candidates = set(digests)
    position = Position(0)
    while candidates:
        found, position_now = session.read(partial(_used, after=position))
        candidates -= found
        if position_now == position:
            break
        position = position_now
    left = sorted(candidates)
    removed = 0
    for first in range(0, len(left), GRAPHS_A_BATCH):
        some = left[first : first + GRAPHS_A_BATCH]
        removed += session.write(partial(_remove, looked_at=position, digests=some))
    return removed


def _used(connection: sa.Connection, after: Position) -> tuple[set[str], Position]:
    """What graphs are named by some events behind `after`, and up to which position they were looked at."""
    rows = connection.execute(_naming_graphs(after).limit(EVENTS_A_READ)).all()
    found = {digest for row in rows for digest in _named(row.type, row.data)}
    return found, Position(rows[-1].position) if len(rows) == EVENTS_A_READ else queries.head(connection).position


def _remove(connection: sa.Connection, looked_at: Position, digests: Sequence[str]) -> tuple[int, bool]:
    """What was named since is found here, while nobody appends."""
    rows = connection.execute(_naming_graphs(looked_at)).all()
    used = {digest for row in rows for digest in _named(row.type, row.data)}
    used |= set(connection.scalars(sa.select(JOB.c.graph_digest).distinct()))
    unused = [digest for digest in digests if digest not in used]
    if not unused:
        return 0, False
    removed = connection.execute(sa.delete(GRAPH).where(GRAPH.c.digest.in_(unused))).rowcount
    return removed, removed > 0


def _naming_graphs(after: Position) -> sa.Select[tuple[int, str, str]]:
    columns = EVENT.c.position, EVENT.c.type, EVENT.c.data
    return sa.select(*columns).where(EVENT.c.position > after, EVENT.c.type.in_(FIELDS)).order_by(EVENT.c.position)


def _named(kind: str, data: str | bytes) -> set[str]:
    fields = FIELDS.get(kind, ())
    values = msgspec.json.decode(data) if fields else {}
    return {values[name] for name in fields if isinstance(values.get(name), str) and values[name]}
