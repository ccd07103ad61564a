"""Postgres, for installations of several machines."""

from typing import Any

import msgspec
import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from server.jobs.ids import JobId
from server.store.database import (
    BUSY_SECONDS,
    Database,
    Rows,
    columns,
    insert_into,
    on_conflict_replace,
    one_line,
)
from server.store.rows import JSON_COLUMNS, Values
from server.store.tables import EVENT, GRAPH, JOB, LOOP_EVENT

SETTINGS = {
    "timezone": "UTC",
    "lock_timeout": f"{BUSY_SECONDS:.0f}s",
    # a process that is paused in the middle of a transaction must not hold all others up
    "idle_in_transaction_session_timeout": "10s",
}
CONNECT_ARGUMENTS = {
    "connect_timeout": 5,
    "application_name": "modelbox-server",
    # a machine that vanished without a word is noticed within some ten seconds
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 11_000,
}


class PostgresDatabase(Database):
    driver_error = psycopg.Error
    begin_read = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    begin_migration = "BEGIN"
    # the lock is a statement of its own: one that waits for a lock reads the rest as it was before the wait
    begin_write = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT FROM log_head FOR UPDATE"

    def __init__(self, url: sa.URL) -> None:
        shown = url.set(drivername="postgresql").difference_update_query(["password"])
        super().__init__(shown.render_as_string(hide_password=True))
        self._engine = sa.create_engine(
            url,
            poolclass=sa.pool.NullPool,
            isolation_level="AUTOCOMMIT",
            json_serializer=_as_is,
            json_deserializer=_as_text,
            connect_args=CONNECT_ARGUMENTS,
        )
        self._write = _write_statement()

    @property
    def connect_arguments(self) -> dict[str, Any]:
        """What psycopg's own connect() takes."""
        _, arguments = self._engine.dialect.create_connect_args(self._engine.url)
        return {**arguments, **CONNECT_ARGUMENTS}

    def connect(self) -> sa.Connection:
        connection = self._engine.connect()
        try:
            settings = "; ".join(f"SET {name} = '{value}'" for name, value in SETTINGS.items())
            connection.exec_driver_sql(settings)
            # an acknowledged command must be on disk, whatever this server is used to
            connection.exec_driver_sql(
                "SELECT set_config('synchronous_commit', 'on', false)"
                " WHERE current_setting('synchronous_commit') = 'off'"
            )
        except BaseException:
            connection.close()
            raise
        return connection

    def check(self) -> None:
        """A server tells by itself, on the connection."""

    def write(self, connection: sa.Connection, rows: Rows) -> None:
        parameters = {
            "graph_rows": _json(rows.graphs),
            "event_rows": _json([_with_data(row) for row in rows.events]),
            "job_rows": _json([_with_json(row) for row in rows.jobs]),
            "gone": rows.gone,
            "loop_rows": _json([_with_data(row) for row in rows.loops]),
            "looped": rows.looped,
            **msgspec.structs.asdict(rows.head),
        }
        connection.exec_driver_sql(self._write, parameters)

    def ids_table(self) -> sa.TableValuedAlias:
        ids = sa.func.unnest(sa.bindparam("ids", type_=ARRAY(sa.Text)))
        return ids.table_valued("value", name="ids").render_derived()

    def ids_value(self, ids: list[JobId]) -> Any:
        return ids

    def describe(self, error: BaseException) -> tuple[bool, str]:
        cause = getattr(error, "orig", None) or error
        if not isinstance(cause, psycopg.Error):
            return isinstance(cause, (OverflowError, ValueError, TypeError)), one_line(cause)
        state = cause.sqlstate or ""
        # 21 cardinality, 22 data, 23 integrity, 54 program limits, P0 what our trigger raises
        is_data = state[:2] in ("21", "22", "23", "54", "P0") or isinstance(cause, psycopg.DataError)
        return is_data, one_line(cause)


def _write_statement() -> str:
    """All that a batch writes, in one statement: its rows travel as JSON, which Postgres takes apart faster than a
    row at a time, and there is one answer to wait for."""

    def source(table: sa.Table, parameter: str) -> str:
        return f"json_populate_recordset(NULL::{table.name}, %({parameter})s::json)"

    def rows(table: sa.Table, parameter: str) -> str:
        selected = f"SELECT {columns(table)} FROM {source(table, parameter)}"  # noqa: S608 - our own names
        return f"{insert_into(table)} {selected}"

    return f"""
        WITH graphs AS ({rows(GRAPH, "graph_rows")} ON CONFLICT (digest) DO NOTHING),
             events AS ({rows(EVENT, "event_rows")}),
             jobs AS ({rows(JOB, "job_rows")} {on_conflict_replace(JOB, "job_id")}),
             gone AS (DELETE FROM job WHERE job_id = ANY (%(gone)s::text[])),
             loops AS ({rows(LOOP_EVENT, "loop_rows")} {on_conflict_replace(LOOP_EVENT, "job_id", "number")}),
             past AS (DELETE FROM loop_event WHERE job_id = ANY (%(looped)s::text[]) AND (job_id, number) NOT IN
                      (SELECT job_id, number FROM {source(LOOP_EVENT, "loop_rows")}))
        UPDATE log_head SET position = %(position)s, epoch = %(epoch)s, fence = %(fence)s,
               left_out = %(left_out)s, jobs = %(jobs)s, checksum = %(checksum)s
    """  # noqa: S608 - our own names


def _with_data(event: Values) -> Values:
    return {**event, "data": msgspec.Raw(event["data"].encode())}


def _with_json(job: Values) -> Values:
    """The row, its JSON columns as JSON and not as strings."""
    as_json = {name: msgspec.Raw(text.encode()) for name in JSON_COLUMNS if (text := job[name]) is not None}
    return {**job, **as_json}


def _json(rows: list[Values]) -> str:
    return msgspec.json.encode(rows).decode()


def _as_is(text: str) -> str:
    return text


def _as_text(data: bytes | str) -> str:
    return data.decode() if isinstance(data, bytes) else data
