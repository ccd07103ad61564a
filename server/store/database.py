"""Which database: the interface behind which everything lies in which SQLite and Postgres differ."""

from abc import ABC, abstractmethod
from typing import Any

import msgspec
import sqlalchemy as sa

from server.jobs.ids import JobId
from server.store.errors import StoreUnavailable
from server.store.head import Head
from server.store.rows import Values

BUSY_SECONDS = 5.0
"""How long a writer waits for another process's transaction before it gives up."""


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch writes: rows by column name, their times datetimes; and the ids of jobs that are gone. `loops`
    are all rows of `loop_event` that the jobs in `looped` have after it."""

    head: Head
    graphs: list[Values]
    events: list[Values]
    jobs: list[Values]
    gone: list[JobId]
    loops: list[Values]
    looped: list[JobId]


class Database(ABC):
    """One database. Values only: it holds no connection.

    Connections are in the driver's autocommit mode; transactions begin and end by statements of ours, so that what
    locks when is written here and nowhere else.
    """

    driver_error: type[Exception]
    begin_read: str
    """Begins a transaction whose reads all see one state."""
    begin_write: str
    """Begins a transaction and keeps every other writer out until its end."""
    begin_migration: str

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

    def damage(self) -> str:
        """What can be told of damage at a glance; "" when there is nothing to tell."""
        return ""

    @abstractmethod
    def write(self, connection: sa.Connection, rows: Rows) -> None:
        """Writes what a batch has changed, by statements made once: SQLAlchemy's work for each row would take
        longer than the database's."""

    @abstractmethod
    def ids_table(self) -> sa.TableValuedAlias:
        """A table of the one column `value`, from the parameter `ids`; see `ids_value`."""

    @abstractmethod
    def ids_value(self, ids: list[JobId]) -> Any:
        """`ids` in the form that the parameter of `ids_table` takes."""

    @abstractmethod
    def describe(self, error: BaseException) -> tuple[bool, str]:
        """Whether the data is at fault, and not the state of the database; and the reason in one line."""

    def unavailable(self, reason: str) -> StoreUnavailable:
        return StoreUnavailable(f"database {self.shown} cannot be used: {reason}")


def insert_into(table: sa.Table) -> str:
    """An INSERT without its rows; the columns are in the table's order."""
    return f"INSERT INTO {table.name} ({columns(table)})"


def columns(table: sa.Table) -> str:
    return ", ".join(names_of(table))


def on_conflict_replace(table: sa.Table, *key: str) -> str:
    """Has an INSERT replace all columns of the row that has the same key."""
    changes = ", ".join(f"{name} = excluded.{name}" for name in names_of(table) if name not in key)
    return f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}"


def one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def names_of(table: sa.Table) -> list[str]:
    return [column.name for column in table.columns]
