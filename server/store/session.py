"""One connection that one thread works with: transactions, healing, and errors in our own words."""

import errno
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from server.failpoints import Failpoint, hit
from server.store.call_times import CallTimes
from server.store.database import Database
from server.store.errors import CannotStore, CommitUnknown, StoreError, StoreUnavailable

T = TypeVar("T")


class Session:
    """Opens its connection when it is first needed, and again after it broke. All calls from one thread.

    Every method raises StoreUnavailable, and `write` CannotStore too.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.times = CallTimes()
        self._connection: sa.Connection | None = None

    def read(self, call: Callable[[sa.Connection], T]) -> T:
        """What `call` reads, all of it from one state of the database."""
        began = monotonic()
        try:
            return self._repeated(lambda: self._read(call))
        finally:
            self.times.read.note(monotonic() - began)

    def ask(self, call: Callable[[sa.Connection], T]) -> T:
        """What `call` reads with one statement, which needs no transaction."""
        began = monotonic()
        try:
            return self._repeated(lambda: self._ask(call))
        finally:
            self.times.ask.note(monotonic() - began)

    def write(self, call: Callable[[sa.Connection], tuple[T, bool]]) -> T:
        """Runs `call` as the only writer. It returns its result and whether there is something to commit.

        Raises: CommitUnknown too.
        """
        began = monotonic()
        try:
            return self._write(call)
        except (SQLAlchemyError, OverflowError, ValueError, TypeError) as error:
            raise self._translated(error) from error
        finally:
            self.times.write.note(monotonic() - began)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.close()

    def _write(self, call: Callable[[sa.Connection], tuple[T, bool]]) -> T:
        connection = self._begin(self.database.begin_write)
        try:
            hit(Failpoint.STORE_BEGIN, injected)
            self.database.check()
            result, changed = call(connection)
            hit(Failpoint.STORE_BEFORE_COMMIT, injected)
            self._end(connection, changed)
        except BaseException as error:
            self._abandon(error)
            raise
        return result

    def _end(self, connection: sa.Connection, changed: bool) -> None:
        try:
            connection.exec_driver_sql("COMMIT" if changed else "ROLLBACK")
            hit(Failpoint.STORE_AFTER_COMMIT, injected)
        except SQLAlchemyError as error:
            told = self._translated(error)
            if changed and isinstance(told, StoreUnavailable):
                raise CommitUnknown(*told.args) from error
            raise

    def _repeated(self, read: Callable[[], T]) -> T:
        """A read does no harm the second time, so a connection that broke is nothing to report."""
        try:
            return read()
        except SQLAlchemyError as error:
            if self._connection is not None:
                raise self._translated(error) from error
        try:
            return read()
        except SQLAlchemyError as error:
            raise self._translated(error) from error

    def _ask(self, call: Callable[[sa.Connection], T]) -> T:
        if self._connection is None:
            self._connection = self._connect()
        try:
            hit(Failpoint.STORE_ASK, injected)
            return call(self._connection)
        except DBAPIError as error:
            if error.connection_invalidated:
                self.close()
            raise

    def _read(self, call: Callable[[sa.Connection], T]) -> T:
        connection = self._begin(self.database.begin_read)
        try:
            hit(Failpoint.STORE_READ, injected)
            result = call(connection)
            hit(Failpoint.STORE_READ_DONE, injected)
        except BaseException as error:
            self._abandon(error)
            raise
        self._roll_back()
        return result

    def _abandon(self, error: BaseException) -> None:
        """Ends the transaction in whose middle `error` came."""
        if isinstance(error, SQLAlchemyError) or type(error) is StoreUnavailable:
            # kept also when SQLite's file was replaced: closing it would remove the new file's log, by its name
            self._roll_back()
        else:
            # a result that nobody has read to its end keeps SQLite's connection in its old state, whatever begins
            # next, for as long as the error's trace is kept
            self.close()

    def _connect(self) -> sa.Connection:
        hit(Failpoint.STORE_CONNECT, injected)
        return self.database.connect()

    def _begin(self, statement: str) -> sa.Connection:
        if self._connection is not None:
            try:
                self._connection.exec_driver_sql(statement)
                return self._connection
            except DBAPIError as error:
                self._roll_back()
                if not _is_busy(error):
                    self.close()  # a new one may do better: SQLite's stays read-only when the file no longer is
                if not error.connection_invalidated:
                    raise  # else it died while it was idle: nothing was under way, so a new one will do
        self._connection = self._connect()
        try:
            self._connection.exec_driver_sql(statement)
        except BaseException:
            self._roll_back()
            raise
        return self._connection

    def _roll_back(self) -> None:
        """Leaves the connection out of any transaction, or none at all."""
        connection = self._connection
        if connection is None:
            return
        try:
            if not connection.invalidated:
                if _in_transaction(connection):
                    connection.exec_driver_sql("ROLLBACK")
                return
        except SQLAlchemyError:
            pass
        self.close()

    def _translated(self, error: Exception) -> StoreError:
        data_at_fault, reason = self.database.describe(error)
        if data_at_fault:
            return CannotStore(f"database {self.database} refuses the value: {reason}")
        return self.database.unavailable(reason)


def injected() -> OperationalError:
    """What a failpoint has a statement fail with: an answer of the database that says nothing of the data."""
    return OperationalError("failpoint", None, OSError(errno.EIO, "injected failure"))


def _is_busy(error: DBAPIError) -> bool:
    """Whether another writer held its lock for too long, which says nothing against our connection."""
    cause = error.orig
    return getattr(cause, "sqlite_errorname", "") == "SQLITE_BUSY" or getattr(cause, "sqlstate", "") == "55P03"


def _in_transaction(connection: sa.Connection) -> bool:
    # SQLite ends the transaction by itself on some errors (disk full), and a ROLLBACK would be an error then
    return bool(getattr(connection.connection.dbapi_connection, "in_transaction", True))
