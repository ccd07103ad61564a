"""Which database: its URL, how to connect, and everything in which SQLite and Postgres differ."""

import os
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from server.store.errors import StoreUnavailable
from server.store.tables import time_text

BUSY_SECONDS = 5.0
"""How long a writer waits for another process's transaction before it gives up."""
CONNECT_SECONDS = 5


class Database(ABC):
    """One database. Values only: it holds no connection.

    Connections are in the driver's autocommit mode; transactions begin and end by statements of ours, so that what
    locks when is written here and nowhere else.
    """

    driver_error: type[Exception]
    begin_read: str
    """Begins a transaction whose reads all see one state."""
    begin_write: str
    lock_head: str
    """Reads log_head's (position, epoch) and keeps every other writer out until the transaction's end."""

    def __init__(self, shown: str) -> None:
        self.shown = shown
        """The URL without its password, for messages."""

    def __str__(self) -> str:
        return self.shown

    @abstractmethod
    def connect(self) -> sa.Connection:
        """A new connection, for the calling thread. Raises: SQLAlchemyError, StoreUnavailable."""

    @abstractmethod
    def check(self) -> None:
        """Raises: StoreUnavailable, when connections that are open no longer lead to the database of that name."""

    @abstractmethod
    def insert_ignoring(self, table: sa.Table, key: str) -> sa.Insert:
        """An insert that leaves an existing row with the same `key` as it is."""

    @abstractmethod
    def upsert(self, table: sa.Table, key: str) -> sa.Insert:
        """An insert that replaces all columns of an existing row with the same `key`."""

    @abstractmethod
    def ids_table(self) -> sa.TableValuedAlias:
        """A table of the one column `value`, from the parameter `ids`; see `ids_value`."""

    @abstractmethod
    def ids_value(self, ids: list[str]) -> Any:
        """`ids` in the form that the parameter of `ids_table` takes."""

    @abstractmethod
    def stored(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """A row in the driver's own types, for a statement that bypasses SQLAlchemy's."""

    @abstractmethod
    def describe(self, error: BaseException) -> tuple[bool, str]:
        """Whether the data is at fault, and not the state of the database; and the reason in one line."""

    def compiled(self, statement: sa.Insert | sa.Delete | sa.Update) -> str:
        """The statement's text for the driver, with named parameters: compiled once, run a thousand times."""
        return str(statement.compile(dialect=self._dialect()))

    @abstractmethod
    def _dialect(self) -> sa.Dialect: ...

    def unavailable(self, reason: str) -> StoreUnavailable:
        return StoreUnavailable(f"database {self.shown} cannot be used: {reason}")


class SqliteDatabase(Database):
    driver_error = sqlite3.Error
    begin_read = "BEGIN"
    begin_write = "BEGIN IMMEDIATE"
    lock_head = "SELECT position, epoch FROM log_head"

    def __init__(self, path: Path) -> None:
        super().__init__(f"sqlite:///{path}")
        self.path = path
        self._engine = sa.create_engine(
            "sqlite://",
            creator=lambda: self.connect_driver(create=False),
            poolclass=sa.pool.NullPool,
            isolation_level="AUTOCOMMIT",
            paramstyle="named",
        )
        self._inode = _inode(path)

    def connect_driver(self, *, create: bool, timeout: float = BUSY_SECONDS) -> sqlite3.Connection:
        """A connection of the driver's own, usable from any one thread at a time.

        Raises: StoreUnavailable, when the file is not there and `create` is not set; sqlite3.Error.
        """
        if not create and not self.path.exists():
            raise self.unavailable("there is no such file; `modelbox-server db upgrade` makes it")
        mode = "rwc" if create else "rw"
        connection = sqlite3.connect(
            f"file:{quote(str(self.path))}?mode={mode}",
            uri=True,
            timeout=timeout,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
        except BaseException:
            connection.close()
            raise
        return connection

    def connect(self) -> sa.Connection:
        connection = self._engine.connect()
        self._inode = self._inode or _inode(self.path)
        return connection

    def check(self) -> None:
        # SQLite would go on writing to a deleted file, and all of it would be gone with the last process
        if self._inode != _inode(self.path):
            raise self.unavailable("its file was moved, replaced or deleted under us; restart the server")

    def insert_ignoring(self, table: sa.Table, key: str) -> sa.Insert:
        return sqlite.insert(table).on_conflict_do_nothing(index_elements=[key])

    def upsert(self, table: sa.Table, key: str) -> sa.Insert:
        insert = sqlite.insert(table)
        changes = {column.name: insert.excluded[column.name] for column in table.columns if column.name != key}
        return insert.on_conflict_do_update(index_elements=[key], set_=changes)

    def ids_table(self) -> sa.TableValuedAlias:
        return sa.func.json_each(sa.bindparam("ids", type_=sa.Text)).table_valued("value", name="ids")

    def ids_value(self, ids: list[str]) -> Any:
        return _json_list(ids)

    def stored(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        return {name: time_text(value) if isinstance(value, datetime) else value for name, value in values.items()}

    def describe(self, error: BaseException) -> tuple[bool, str]:
        cause = getattr(error, "orig", None) or error
        is_data = isinstance(cause, (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError))
        # what never reached the database: an integer over 64 bits, a time without zone
        is_data = is_data or isinstance(cause, (OverflowError, ValueError, TypeError))
        return is_data, _one_line(cause)

    def _dialect(self) -> sa.Dialect:
        return self._engine.dialect


class PostgresDatabase(Database):
    driver_error = psycopg.Error
    begin_read = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    begin_write = "BEGIN"
    lock_head = "SELECT position, epoch FROM log_head FOR UPDATE"

    _SETTINGS = (
        ("timezone", "UTC"),
        ("lock_timeout", f"{BUSY_SECONDS:.0f}s"),
        # a process that is paused in the middle of a transaction must not hold all others up
        ("idle_in_transaction_session_timeout", "10s"),
        ("statement_timeout", "0"),
    )

    def __init__(self, url: sa.URL) -> None:
        shown = url.set(drivername="postgresql").difference_update_query(["password"])
        super().__init__(shown.render_as_string(hide_password=True))
        self._engine = sa.create_engine(
            url,
            poolclass=sa.pool.NullPool,
            isolation_level="AUTOCOMMIT",
            json_serializer=_as_is,
            json_deserializer=_as_text,
            connect_args=_CONNECT_ARGUMENTS,
        )

    @property
    def connect_arguments(self) -> dict[str, Any]:
        """What psycopg's own connect() takes."""
        _, arguments = self._engine.dialect.create_connect_args(self._engine.url)
        return {**arguments, **_CONNECT_ARGUMENTS}

    def connect(self) -> sa.Connection:
        connection = self._engine.connect()
        try:
            for name, value in self._SETTINGS:
                connection.exec_driver_sql(f"SET {name} = '{value}'")
            connection.exec_driver_sql(
                "SELECT set_config('synchronous_commit', 'on', false)"
                " WHERE current_setting('synchronous_commit') = 'off'"
            )
        except BaseException:
            connection.close()
            raise
        return connection

    def check(self) -> None:
        """A server of its own tells by itself."""

    def insert_ignoring(self, table: sa.Table, key: str) -> sa.Insert:
        return pg.insert(table).on_conflict_do_nothing(index_elements=[key])

    def upsert(self, table: sa.Table, key: str) -> sa.Insert:
        insert = pg.insert(table)
        changes = {column.name: insert.excluded[column.name] for column in table.columns if column.name != key}
        return insert.on_conflict_do_update(index_elements=[key], set_=changes)

    def ids_table(self) -> sa.TableValuedAlias:
        ids = sa.func.unnest(sa.bindparam("ids", type_=pg.ARRAY(sa.Text)))
        return ids.table_valued("value", name="ids").render_derived()

    def ids_value(self, ids: list[str]) -> Any:
        return ids

    def stored(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        return values

    def describe(self, error: BaseException) -> tuple[bool, str]:
        cause = getattr(error, "orig", None) or error
        state = getattr(cause, "sqlstate", None) or ""
        # 21 cardinality, 22 data, 23 integrity, 54 program limits; the trigger's refusals are of class P0
        is_data = state[:2] in ("21", "22", "23", "54", "P0")
        is_data = is_data or (not state and isinstance(cause, (OverflowError, ValueError, TypeError)))
        return is_data or type(cause).__name__ == "DataError", _one_line(cause)

    def _dialect(self) -> sa.Dialect:
        return self._engine.dialect


_CONNECT_ARGUMENTS: dict[str, Any] = {
    "connect_timeout": CONNECT_SECONDS,
    "application_name": "modelbox-server",
    # a machine that vanished without a word is noticed within some ten seconds
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}


def database_of(url: str) -> Database:
    """The database that `url` names: sqlite:////absolute/path.db or postgresql://user:password@host/name.

    Raises: StoreUnavailable, when it names none.
    """
    if url.startswith("sqlite:///"):
        path = url.removeprefix("sqlite:///")
        if path and path != ":memory:":
            return SqliteDatabase(Path(path).absolute())
    scheme, _, rest = url.partition("://")
    if scheme not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise StoreUnavailable(
            f"no database of ours: {scheme}://…; use sqlite:////absolute/path.db or postgresql://user@host/name"
        )
    try:
        return PostgresDatabase(sa.make_url(f"postgresql+psycopg://{rest}"))
    except (ArgumentError, SQLAlchemyError, ValueError) as error:
        raise StoreUnavailable(f"the database URL ({scheme}://…) cannot be read: {_one_line(error)}") from error


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _json_list(texts: list[str]) -> str:
    return msgspec.json.encode(texts).decode()


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _as_is(text: str) -> str:
    return text


def _as_text(data: bytes | str) -> str:
    return data.decode() if isinstance(data, bytes) else data
