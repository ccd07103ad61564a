"""Which schema a database has, and bringing it up to this program's. Alembic is imported when it is needed."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from server.failpoints import Failpoint, hit
from server.store.database import Database
from server.store.errors import SchemaOutdated, SchemaTooNew
from server.store.session import injected
from server.store.sqlite import SqliteDatabase
from server.store.urls import database_of

REVISIONS = ("0001",)
"""Every migration, oldest first; a test compares it with the files."""

MIGRATION_LOCK = 0x6D6F_6465_6C62_0001
"""Key of Postgres' advisory lock that lets one process migrate at a time."""


def upgrade(url: str) -> bool:
    """Brings the database to this program's schema, making it if need be; whether there was anything to do.

    Blocking. Any number of processes may do so at once: one works, the others wait for it.
    Raises: StoreUnavailable, SchemaTooNew.
    """
    database = database_of(url)
    try:
        if isinstance(database, SqliteDatabase):
            return _upgrade_sqlite(database)
        with database.connect() as connection:
            connection.exec_driver_sql("SET lock_timeout = 0")
            connection.exec_driver_sql(f"SELECT pg_advisory_lock({MIGRATION_LOCK})")
            return _upgrade(database, connection)  # closing the session gives the lock back
    except (OSError, SQLAlchemyError, database.driver_error) as error:
        raise database.unavailable(database.describe(error)[1]) from error


def current(url: str) -> str | None:
    """The revision that the database is at, None when it is empty. Blocking. Raises: StoreUnavailable."""
    database = database_of(url)
    try:
        with database.connect() as connection:
            return revision(connection)
    except SQLAlchemyError as error:
        raise database.unavailable(database.describe(error)[1]) from error


def check(database: Database, connection: sa.Connection) -> None:
    """Raises: SchemaOutdated, SchemaTooNew."""
    found = revision(connection)
    if found == REVISIONS[-1]:
        return
    _refuse_newer(database, found)
    raise SchemaOutdated(
        f"database {database} is at schema {found or 'none'}, this program needs {REVISIONS[-1]}:"
        " run `modelbox-server db upgrade`"
    )


def _upgrade_sqlite(database: SqliteDatabase) -> bool:
    with _file_lock(Path(f"{database.path}.migrate.lock")):
        database.connect_driver(create=True).close()
        with database.connect() as connection:
            return _upgrade(database, connection)


def _upgrade(database: Database, connection: sa.Connection) -> bool:
    found = revision(connection)
    _refuse_newer(database, found)
    if found == REVISIONS[-1]:
        return False
    connection.exec_driver_sql(database.begin_migration)
    hit(Failpoint.MIGRATE_BEGIN, injected)
    _run_alembic(connection)
    hit(Failpoint.MIGRATE_BEFORE_COMMIT, injected)
    connection.exec_driver_sql("COMMIT")
    hit(Failpoint.MIGRATE_AFTER_COMMIT, injected)
    return True


def _run_alembic(connection: sa.Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(scripts()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def scripts() -> Path:
    """Where the migrations are: in the wheel beside this file, in the source tree at its top."""
    here = Path(__file__).resolve().parent
    installed = here / "migrations"
    return installed if installed.is_dir() else here.parents[1] / "migrations"


def revision(connection: sa.Connection) -> str | None:
    """The revision that the database is at, None when it is empty."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def _refuse_newer(database: Database, revision: str | None) -> None:
    if revision is not None and revision not in REVISIONS:
        raise SchemaTooNew(
            f"database {database} is at schema {revision}, which a newer program made; this one knows up to"
            f" {REVISIONS[-1]}: run that program, or restore a backup from before its upgrade"
        )


@contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    """Waits for its turn. The file stays: removing it would let two processes lock two files of one name."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
