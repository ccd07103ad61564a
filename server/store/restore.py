"""Restoring a backup into a database: all of it or nothing, with an epoch that is higher than any before."""

import asyncio
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from server.jobs.commands import Context
from server.jobs.events import BackupRestored
from server.jobs.ids import Epoch
from server.store import queries, schema
from server.store.append import rows_of
from server.store.backup import beside, checked, copy_tables, put, single_file
from server.store.batch import NO_EPOCH, Batch, Submission
from server.store.database import Database
from server.store.errors import Refused, StoreError, StoreUnavailable
from server.store.head import Head
from server.store.leader import leader_lock
from server.store.session import Session
from server.store.sqlite import SqliteDatabase
from server.store.tables import APPEND_ONLY
from server.store.urls import database_of

CONTEXT = Context(actor="restore")


async def restore(
    url: str, backup: Path, host: str, *, replace: bool = False, known_epoch: Epoch = NO_EPOCH
) -> Head:
    """Brings what the file `backup` holds into the database at `url`, and appends BackupRestored; returns the
    head. With `replace` the database may hold something: an SQLite file is put aside, on Postgres the rows are
    deleted. `known_epoch` is the highest that is known here. When this raises, the database is as it was.

    Raises: Refused, when a server leads there or the database is not empty; Damaged, when the backup is;
    StoreUnavailable, SchemaTooNew.
    """
    database = database_of(url)
    lock = leader_lock(url)
    try:
        if not await lock.try_acquire():
            raise Refused(
                f"a server uses database {database}, or it cannot be reached: stop the server first, its engines"
                " may go on"
            )
        event = BackupRestored(host=host)
        submission = Submission(context=CONTEXT, beginning=event, known_epoch=known_epoch)
        work = _into_file if isinstance(database, SqliteDatabase) else _into_server
        return await asyncio.to_thread(work, url, backup, submission, replace)
    finally:
        await lock.release()


def _into_file(url: str, backup: Path, submission: Submission, replace: bool) -> Head:
    """A file of its own is made ready, and takes the place of the old one at once, which may be damaged."""
    database = database_of(url)
    assert isinstance(database, SqliteDatabase)
    with beside(database.path) as folder:
        copy = _working_copy(backup, folder)
        epoch = _epoch_of(database, replace)
        session = Session(SqliteDatabase(copy))
        try:
            head = session.write(lambda connection: _begin(session.database, connection, submission, epoch))
        finally:
            session.close()
        single_file(copy)
        _put_aside(database.path)
        put(copy, database.path)
    return head


def _into_server(url: str, backup: Path, submission: Submission, replace: bool) -> Head:
    schema.upgrade(url)
    database = database_of(url)
    with beside(Path(tempfile.gettempdir()) / "restore") as folder:
        source = Session(SqliteDatabase(_working_copy(backup, folder)))
        session = Session(database)

        def fill(into: sa.Connection) -> tuple[Head, bool]:
            before = queries.head(into)
            _refuse_non_empty(database, before, replace)
            for table in APPEND_ONLY:
                into.exec_driver_sql(f"ALTER TABLE {table.name} DISABLE TRIGGER USER")
            source.read(lambda connection: copy_tables(connection, into))
            for table in APPEND_ONLY:
                into.exec_driver_sql(f"ALTER TABLE {table.name} ENABLE TRIGGER USER")
            return _begin(database, into, submission, before.epoch)

        try:
            return session.write(fill)
        finally:
            source.close()
            session.close()


def _working_copy(backup: Path, folder: Path) -> Path:
    """A copy of the backup with this program's schema, known to be whole."""
    copy = folder / "restore.db"
    try:
        shutil.copyfile(backup, copy)
    except OSError as error:
        raise StoreUnavailable(f"backup {backup} cannot be read: {error.strerror}") from error
    try:
        if schema.current(f"sqlite:///{copy}") is None:
            raise Refused(f"{backup} is no backup of a modelbox-server")
        schema.upgrade(f"sqlite:///{copy}")
        single_file(copy)
        checked(copy)
    except StoreError as error:
        raise type(error)(f"backup {backup} cannot be used: {error}") from error
    return copy


def _epoch_of(database: SqliteDatabase, replace: bool) -> Epoch:
    """The newest epoch that the database knows, 0 when it cannot tell. Raises: Refused, when it is not empty."""
    if not database.path.exists():
        return NO_EPOCH
    session = Session(database)
    try:
        if session.read(schema.revision) is None:
            return NO_EPOCH
        head = session.read(queries.head)
    except StoreUnavailable as error:
        if not replace:
            raise Refused(
                f"{error}; with --replace the file is put aside and the backup takes its place"
            ) from error
        return NO_EPOCH
    finally:
        session.close()
    _refuse_non_empty(database, head, replace)
    return head.epoch


def _refuse_non_empty(database: Database, head: Head, replace: bool) -> None:
    if head.position and not replace:
        raise Refused(
            f"database {database} is not empty, its log has {head.position} events; with --replace they are given"
            " up"
        )


def _begin(
    database: Database, connection: sa.Connection, submission: Submission, epoch: Epoch
) -> tuple[Head, bool]:
    """Appends the event. `epoch` is the newest of the history that is given up."""
    batch = Batch(queries.head(connection), {}, {}, datetime.now(UTC))
    known = Epoch(max(epoch, submission.known_epoch))
    batch.apply(Submission(context=submission.context, beginning=submission.beginning, known_epoch=known))
    database.write(connection, rows_of(batch))
    return batch.head, True


def _put_aside(path: Path) -> None:
    """Renames a database and its log: nothing that somebody may still want is deleted."""
    aside = f"{path.name}.replaced-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    # the log first: beside another file of this name it would be taken for that one's
    for suffix in ("-wal", "-shm", ""):
        part = path.with_name(f"{path.name}{suffix}")
        if part.exists():
            part.rename(path.with_name(f"{aside}{suffix}"))
