"""SQLite: one file beside which its log lies; WAL, every commit synced to disk, one writer at a time."""

import os
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import sqlalchemy as sa

from server.jobs.ids import JobId
from server.store.database import (
    BUSY_SECONDS,
    Database,
    Rows,
    insert_into,
    names_of,
    on_conflict_replace,
    one_line,
)
from server.store.rows import MEND_LOG, Values
from server.store.tables import EVENT, GRAPH, JOB, LOOP_EVENT, UtcTime, time_text

GRAPH_TIMES, EVENT_TIMES, JOB_TIMES, LOOP_TIMES = (
    tuple(column.name for column in table.columns if isinstance(column.type, UtcTime))
    for table in (GRAPH, EVENT, JOB, LOOP_EVENT)
)


class SqliteDatabase(Database):
    driver_error = sqlite3.Error
    begin_read = "BEGIN"
    begin_write = "BEGIN IMMEDIATE"
    begin_migration = "BEGIN IMMEDIATE"

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """`read_only`: a backup, which is looked at and left as it is."""
        super().__init__(f"sqlite:///{path}")
        self.path = path
        self._read_only = read_only
        self._engine = sa.create_engine(
            "sqlite://",
            creator=lambda: self.connect_driver(create=False),
            poolclass=sa.pool.NullPool,
            isolation_level="AUTOCOMMIT",
        )
        self._inode = _inode(path)
        self._insert_graph = f"{insert_into(GRAPH)} VALUES ({_named(GRAPH)}) ON CONFLICT (digest) DO NOTHING"
        self._insert_event = f"{insert_into(EVENT)} VALUES ({_named(EVENT)})"
        self._upsert_job = f"{insert_into(JOB)} VALUES ({_named(JOB)}) {on_conflict_replace(JOB, 'job_id')}"
        self._delete_job = "DELETE FROM job WHERE job_id = :job_id"
        self._clear_loop = "DELETE FROM loop_event WHERE job_id = :job_id"
        self._insert_loop = f"{insert_into(LOOP_EVENT)} VALUES ({_named(LOOP_EVENT)})"
        self._move_head = (
            "UPDATE log_head SET position = :position, epoch = :epoch, fence = :fence, left_out = :left_out,"
            " jobs = :jobs, checksum = :checksum"
        )

    def connect_driver(self, *, create: bool, timeout: float = BUSY_SECONDS) -> sqlite3.Connection:
        """A connection of the driver's own, usable from any one thread at a time.

        Raises: StoreUnavailable, when the file is not there and `create` is not set; sqlite3.Error.
        """
        if not create and not self.path.exists():
            raise self.unavailable("there is no such file; `modelbox-server db upgrade` makes it")
        connection = sqlite3.connect(
            f"file:{quote(str(self.path))}?mode={self._mode(create)}",
            uri=True,
            timeout=timeout,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            if self._read_only:
                return connection
            if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
        except BaseException:
            connection.close()
            raise
        return connection

    def _mode(self, create: bool) -> str:
        if self._read_only:
            return "ro"
        return "rwc" if create else "rw"

    def connect(self) -> sa.Connection:
        connection = self._engine.connect()
        self._inode = self._inode or _inode(self.path)
        return connection

    def check(self) -> None:
        # SQLite would go on writing to a deleted file, and all of it would be gone with the last process
        if self._inode != _inode(self.path):
            raise self.unavailable("its file was moved, replaced or deleted under us; restart the server")

    def damage(self) -> str:
        try:
            with self.path.open("rb") as file:
                header, size = file.read(100), os.fstat(file.fileno()).st_size
        except OSError:
            return ""  # told by whoever connects
        if len(header) < 100:
            return ""  # new, or all of it is still in the WAL
        # bytes 16-18 are the page size, 28-32 the number of pages at the last checkpoint, if 24-28 equals 92-96
        page, pages = int.from_bytes(header[16:18]), int.from_bytes(header[28:32])
        expected = (65_536 if page == 1 else page) * pages
        if header[24:28] == header[92:96] and size < expected:
            return f"its file was cut off, it has {size} of {expected} bytes"
        return ""

    def write(self, connection: sa.Connection, rows: Rows) -> None:
        texts: dict[datetime, str] = {}  # most times of a batch are the same one
        for statement, values in (
            (self._insert_graph, [_stored(row, GRAPH_TIMES, texts) for row in rows.graphs]),
            (self._insert_event, [_stored(row, EVENT_TIMES, texts) for row in rows.events]),
            (self._upsert_job, [_stored(row, JOB_TIMES, texts) for row in rows.jobs]),
            (self._delete_job, [{"job_id": job_id} for job_id in rows.gone]),
            (self._clear_loop, [{"job_id": job_id} for job_id in rows.looped]),
            (self._insert_loop, [_stored(row, LOOP_TIMES, texts) for row in rows.loops]),
            (self._move_head, [msgspec.structs.asdict(rows.head)]),
        ):
            if values:
                connection.exec_driver_sql(statement, values)

    def ids_table(self) -> sa.TableValuedAlias:
        return sa.func.json_each(sa.bindparam("ids", type_=sa.Text)).table_valued("value", name="ids")

    def ids_value(self, ids: list[JobId]) -> Any:
        return msgspec.json.encode(ids).decode()

    def describe(self, error: BaseException) -> tuple[bool, str]:
        cause = getattr(error, "orig", None) or error
        is_data = isinstance(cause, (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError))
        # what never reached the database: an integer over 64 bits, a time without zone
        is_data = is_data or isinstance(cause, (OverflowError, ValueError, TypeError))
        is_corrupt = getattr(cause, "sqlite_errorname", "").startswith("SQLITE_CORRUPT")
        return is_data, f"{one_line(cause)}; {MEND_LOG}" if is_corrupt else one_line(cause)


def _named(table: sa.Table) -> str:
    return ", ".join(f":{name}" for name in names_of(table))


def _stored(row: Values, times: tuple[str, ...], texts: dict[datetime, str]) -> Values:
    """`row` with its `times` as text."""
    stored = row.copy()
    for name in times:
        at = row[name]
        if at is not None:
            stored[name] = texts.get(at) or texts.setdefault(at, time_text(at))
    return stored


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
