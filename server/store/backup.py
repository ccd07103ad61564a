"""A backup: the whole database as one SQLite file, whichever database it comes from, so that it can be restored
into either. Taken while the server runs, checked before it gets its name."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa

from server.store import queries, schema
from server.store.database import Database
from server.store.errors import Damaged, Refused, StoreUnavailable
from server.store.head import Head
from server.store.session import Session
from server.store.sqlite import SqliteDatabase
from server.store.tables import METADATA
from server.store.urls import database_of
from server.store.verify import verify

T = TypeVar("T")

ROWS_AT_ONCE = 1000


def backup(url: str, path: Path) -> Head:
    """Writes the database at `url`, as of one moment, to `path`, replacing what is there; returns the log's head
    in it. When this raises, `path` is as it was. Blocking; writers are not held up.

    Raises: StoreUnavailable, SchemaOutdated, SchemaTooNew; Damaged, when what was read is; Refused.
    """
    database = database_of(url)
    path = path.absolute()
    if isinstance(database, SqliteDatabase) and path.exists() and path.samefile(database.path):
        raise Refused(f"{path} is the database itself; give the backup another name")
    _run(database, lambda connection: schema.check(database, connection))
    with beside(path) as folder:
        copy = folder / "backup.db"
        if isinstance(database, SqliteDatabase):
            _copy_file(database, copy)
        else:
            _copy_rows(database, copy)
        head = checked(copy)
        put(copy, path)
    return head


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A folder to prepare the file `path` in, on the same file system. Raises: StoreUnavailable."""
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise StoreUnavailable(f"folder {path.parent} cannot be written to: {error.strerror}") from error
    try:
        yield folder
    except (OSError, sqlite3.Error) as error:
        raise StoreUnavailable(f"{path} cannot be written: {error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def checked(path: Path) -> Head:
    """The head of the log in a backup that is whole. Raises: StoreUnavailable, Damaged."""
    backup = SqliteDatabase(path, read_only=True)
    if backup.damage():
        raise Damaged(f"backup {path} is damaged: {backup.damage()}")
    differences = _run(backup, verify)
    if differences:
        more = f", and {len(differences) - 1} more" if len(differences) > 1 else ""
        raise Damaged(f"the data is damaged: {differences[0]}{more}; `modelbox-server db verify` tells all")
    return _run(backup, queries.head)


def put(prepared: Path, path: Path) -> None:
    """Gives a file its name, on disk: after a crash there is the old file or the new one. Raises: OSError."""
    synced(prepared)
    prepared.rename(path)
    synced(path.parent)


def copy_tables(source: sa.Connection, target: sa.Connection) -> None:
    """Has the tables of `target` hold the rows of `source`, and no others."""
    for table in reversed(METADATA.sorted_tables):
        target.execute(sa.delete(table))
    for table in METADATA.sorted_tables:
        rows = source.execution_options(stream_results=True).execute(sa.select(table))
        for some in rows.mappings().partitions(ROWS_AT_ONCE):
            target.execute(sa.insert(table), [dict(row) for row in some])


def single_file(path: Path) -> None:
    """Takes an SQLite database out of WAL mode: all of it is in one file then."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = DELETE")
    finally:
        connection.close()


def _copy_file(database: SqliteDatabase, copy: Path) -> None:
    source = database.connect_driver(create=False)
    try:
        target = sqlite3.connect(copy)
        try:
            source.backup(target)  # in one step: it reads one state, and a writer does not make it begin anew
        finally:
            target.close()
    finally:
        source.close()
    single_file(copy)


def _copy_rows(database: Database, copy: Path) -> None:
    schema.upgrade(f"sqlite:///{copy}")
    target = Session(SqliteDatabase(copy))

    def copy_all(connection: sa.Connection) -> None:
        def fill(into: sa.Connection) -> tuple[None, bool]:
            copy_tables(connection, into)
            return None, True

        target.write(fill)

    try:
        _run(database, copy_all)
    finally:
        target.close()
    single_file(copy)


def _run(database: Database, call: Callable[[sa.Connection], T]) -> T:
    session = Session(database)
    try:
        return session.read(call)
    finally:
        session.close()


def synced(path: Path) -> None:
    """Has a file, or a folder's names, on disk. Raises: OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
