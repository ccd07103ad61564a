"""Events of jobs deleted long ago, moved from the log into a file: there and on disk before they leave the table.

Killed anywhere, a life is in the table or in a whole file, or in both. The same call again goes on.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path

import msgspec
import sqlalchemy as sa

from server.failpoints import Failpoint, hit
from server.store import queries, schema
from server.store.archiving.file import (
    COMPRESSED,
    FORMAT,
    ArchivedEvent,
    ArchivedGraph,
    ArchiveHead,
    ArchiveWriter,
    Contents,
    Life,
    lives_of,
    opened_for_writing,
    read_whole,
)
from server.store.archiving.graphs import digests_in, remove_graphs
from server.store.archiving.removal import Removal
from server.store.archiving.selection import deleted_lives, rows_of_life
from server.store.backup import beside, synced
from server.store.checksums import Checksum
from server.store.database import Database
from server.store.errors import Damaged, Refused
from server.store.rows import MEND_LOG
from server.store.session import Session
from server.store.tables import GRAPH, time_text
from server.store.urls import database_of
from server.store.wakeups import wakeups_of

EVENTS_A_BATCH = 5_000
"""After so many a transaction is full; the last life in it may make it longer."""


class Archived(msgspec.Struct, frozen=True, kw_only=True):
    """What was done: how much is in the file, and how much of it left the log by this call."""

    jobs: int = 0
    events: int = 0
    removed_jobs: int = 0
    removed_events: int = 0
    removed_graphs: int = 0


async def archive(url: str, path: Path, deleted_before: datetime, now: datetime) -> Archived | None:
    """Moves what ended before `deleted_before` from the log into the file `path`. When that file is there already
    and is an archive of this log, the rest of what it holds is removed from the log, and nothing is added to it.
    None, when there is nothing to move; no file is made then. A server may run meanwhile.

    Raises: Refused, Damaged, StoreUnavailable, SchemaOutdated, SchemaTooNew.
    """
    database = database_of(url)
    try:
        wake = wakeups_of(database)
    except OSError as error:
        raise database.unavailable(f"no directory for wake-ups: {error}") from error
    try:
        return await asyncio.to_thread(_archive, database, path, deleted_before, now, wake.send)
    finally:
        await wake.close()


def _archive(
    database: Database, path: Path, deleted_before: datetime, now: datetime, committed: Callable[[], None]
) -> Archived | None:
    session = Session(database)
    path = path.absolute()
    try:
        session.read(lambda connection: schema.check(database, connection))
        if not path.exists() and not _write(session, path, deleted_before, now):
            return None
        return _remove(session, path, committed)
    finally:
        session.close()


def _write(session: Session, path: Path, deleted_before: datetime, now: datetime) -> bool:
    """Whether there was anything to write."""
    head = ArchiveHead(
        format=FORMAT,
        id=secrets.token_hex(16),
        log=session.read(queries.log_name),
        made_at=time_text(now),
        deleted_before=time_text(deleted_before),
    )
    with beside(path) as folder:
        prepared = folder / path.name
        with opened_for_writing(prepared, compressed=path.suffix == COMPRESSED) as file:
            writer = ArchiveWriter(file, head)
            digests: set[str] = set()
            for life in _lives(session, deleted_before):
                writer.add_life(life)
                digests |= digests_in(life)
            for digest in sorted(digests):
                writer.add_graph(_graph(session, digest))
            writer.finish()
        if not writer.lives:
            return False
        hit(Failpoint.ARCHIVE_WRITTEN)
        _name(prepared, path)
    hit(Failpoint.ARCHIVE_NAMED)
    return True


def _name(prepared: Path, path: Path) -> None:
    """As a rename that replaces nothing: what another call has just put there may be the only copy by now."""
    try:
        path.hardlink_to(prepared)
    except FileExistsError as error:
        raise Refused(f"{path} has just been made by somebody else; nothing was removed") from error
    synced(path.parent)


def _lives(session: Session, deleted_before: datetime) -> Iterator[Life]:
    for job_id, incarnation in deleted_lives(session, deleted_before):
        yield [_event(row) for row in rows_of_life(session, job_id, incarnation)]


def _event(row: sa.RowMapping) -> ArchivedEvent:
    values = dict(row)
    data = msgspec.json.format(values.pop("data"), indent=-1).encode()
    event = ArchivedEvent(
        **values
        | {"recorded_at": time_text(values["recorded_at"]), "previous": Checksum(values["previous"] or "")},
        data=msgspec.Raw(data),
    )
    if not event.is_whole():
        raise Damaged(f"the event log is damaged: position {event.position} is not as it was written; {MEND_LOG}")
    return event


def _graph(session: Session, digest: str) -> ArchivedGraph:
    columns = GRAPH.c.digest, GRAPH.c.format, GRAPH.c.source, GRAPH.c.escaped, GRAPH.c.created_at
    query = sa.select(*columns).where(GRAPH.c.digest == digest)
    row = session.read(lambda connection: connection.execute(query).mappings().one_or_none())
    graph = None if row is None else ArchivedGraph(**dict(row) | {"created_at": time_text(row["created_at"])})
    if graph is None or not graph.is_whole():
        raise Damaged(f"graph {digest} in table graph is damaged or missing: {MEND_LOG}")
    return graph


def _remove(session: Session, path: Path, committed: Callable[[], None]) -> Archived:
    contents = _whole(path)
    log_name = session.read(queries.log_name)
    if contents.head.log != log_name:
        raise Refused(f"{path} is an archive of another log ({contents.head.log}, this one is {log_name})")
    removal = Removal(session.database, contents, path.name)
    for lives in _batches(path):
        session.write(partial(removal.remove, lives=lives))
        hit(Failpoint.ARCHIVE_REMOVED)
        committed()
    graphs = remove_graphs(session, contents.digests)
    hit(Failpoint.ARCHIVE_DONE)
    return Archived(
        jobs=contents.end.jobs,
        events=contents.end.events,
        removed_jobs=removal.jobs,
        removed_events=removal.events,
        removed_graphs=graphs,
    )


def _whole(path: Path) -> Contents:
    try:
        return read_whole(path)
    except Damaged as error:
        raise Refused(f"{error}; nothing was removed; give the new archive another name") from error


def _batches(path: Path) -> Iterator[list[Life]]:
    batch: list[Life] = []
    events = 0
    for life in lives_of(path):
        batch.append(life)
        events += len(life)
        if events >= EVENTS_A_BATCH:
            yield batch
            batch, events = [], 0
    if batch:
        yield batch
