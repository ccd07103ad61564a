"""The tables as this program uses them. migrations/ makes them; a test holds the two together."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine


def time_text(at: datetime) -> str:
    """`at` as it stands in SQLite, such as 2026-01-31T23:59:59.000001Z: sorts as time does, and SQLite's date
    functions understand it. Raises: ValueError, when it has no time zone."""
    if at.tzinfo is None:
        raise ValueError(f"time without a zone: {at}")
    return at.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"


class UtcTime(TypeDecorator[datetime]):
    """A moment, with microseconds: timestamptz on Postgres, ISO 8601 text on SQLite."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        is_sqlite = dialect.name == "sqlite"
        return dialect.type_descriptor(sa.Text() if is_sqlite else sa.DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        return time_text(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        # Python reads a final Z as UTC
        return datetime.fromisoformat(value) if isinstance(value, str) else value


class JsonText(TypeDecorator[str]):
    """JSON that stays text in Python, for msgspec to read: jsonb on Postgres, text on SQLite."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(sa.Text() if dialect.name == "sqlite" else JSONB(none_as_null=True))

    def coerce_compared_value(self, op: Any, value: Any) -> Any:
        return self


METADATA = sa.MetaData()

EVENT = sa.Table(
    "event",
    METADATA,
    sa.Column(
        "position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=False
    ),
    sa.Column("job_id", sa.Text),
    sa.Column("incarnation", sa.BigInteger),
    sa.Column("version", sa.BigInteger),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("schema_version", sa.Integer, nullable=False),
    sa.Column("data", JsonText, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("idempotency_key", sa.Text),
    sa.Column("epoch", sa.BigInteger),
    sa.Column("recorded_at", UtcTime, nullable=False),
    sa.Column("checksum", sa.Text, nullable=False),
    sa.UniqueConstraint("job_id", "incarnation", "version", name="event_of_job"),
    sa.Index(
        "event_of_leaders",
        "position",
        sqlite_where=sa.text("type = 'leader-elected'"),
        postgresql_where=sa.text("type = 'leader-elected'"),
    ),
)

LOG_HEAD = sa.Table(
    "log_head",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("fence", sa.BigInteger, nullable=False),
    sa.Column("left_out", sa.BigInteger, nullable=False),
    sa.Column("jobs", sa.BigInteger, nullable=False),
    sa.Column("checksum", sa.Text, nullable=False),
)

LOOP_EVENT = sa.Table(
    "loop_event",
    METADATA,
    sa.Column("job_id", sa.Text, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("incarnation", sa.BigInteger, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("schema_version", sa.Integer, nullable=False),
    sa.Column("data", JsonText, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("epoch", sa.BigInteger),
    sa.Column("recorded_at", UtcTime, nullable=False),
    sa.Column("mark", sa.BigInteger, nullable=False),
    sa.Index("loop_event_by_mark", "mark"),
)
"""What is left out of the log, see jobs/crash_loop. `version` and `position` are those of the job's last event in
the log, `number` counts from there. `mark` is log_head.left_out as the transaction that wrote the row left it."""

GRAPH = sa.Table(
    "graph",
    METADATA,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("format", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("escaped", sa.Boolean, nullable=False),
    sa.Column("plan", sa.Text),
    sa.Column("plan_checksum", sa.Text),
    sa.Column("created_at", UtcTime, nullable=False),
)

JOB = sa.Table(
    "job",
    METADATA,
    sa.Column("job_id", sa.Text, primary_key=True),
    sa.Column("incarnation", sa.BigInteger, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("graph_digest", sa.Text, sa.ForeignKey("graph.digest", name="graph_of_job"), nullable=False),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("file_digest", sa.Text, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("changed_at", UtcTime, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("desired", sa.Text, nullable=False),
    sa.Column("actual", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("attempt", sa.BigInteger, nullable=False),
    sa.Column("failures", sa.BigInteger, nullable=False),
    sa.Column("rounds", sa.BigInteger, nullable=False),
    sa.Column("in_interval", sa.BigInteger, nullable=False),
    sa.Column("interval_began", UtcTime),
    sa.Column("retry_at", UtcTime),
    sa.Column("ready_at", UtcTime),
    sa.Column("ever_ready", sa.Boolean, nullable=False),
    sa.Column("last_exit", JsonText),
    sa.Column("stalled", JsonText),
    sa.Column("stalls", sa.BigInteger, nullable=False),
    sa.Column("engine_pid", sa.BigInteger),
    sa.Column("engine_start_time", sa.BigInteger),
    sa.Column("engine_boot_id", sa.Text),
    sa.Column("engine_host", sa.Text),
    sa.Column("engine_run_dir", sa.Text),
    sa.Column("options", JsonText, nullable=False),
    sa.Column("endpoints", JsonText, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("changes", JsonText, nullable=False),
    sa.Column("orders", JsonText, nullable=False),
    sa.Column("generation", sa.BigInteger, nullable=False),
    sa.Column("left_out", sa.BigInteger, nullable=False),
    sa.Column("checksum", sa.Text, nullable=False),
    sa.Index("job_by_position", "position"),
)

ARCHIVED_JOB = sa.Table(
    "archived_job",
    METADATA,
    sa.Column("job_id", sa.Text, primary_key=True),
    sa.Column("incarnation", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("events", sa.BigInteger, nullable=False),
    sa.Column("from_position", sa.BigInteger, nullable=False),
    sa.Column("to_position", sa.BigInteger, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("deleted_at", UtcTime, nullable=False),
    sa.Column("archive", sa.BigInteger, nullable=False),
    sa.Index("archived_job_by_position", "to_position"),
)
"""Incarnations whose events are in a file. `archive` is the position of the event that names the file."""

LOG_GAP = sa.Table(
    "log_gap",
    METADATA,
    sa.Column(
        "to_position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=False
    ),
    sa.Column("from_position", sa.BigInteger, nullable=False),
    sa.Column("checksum", sa.Text, nullable=False),
    sa.Column("archive", sa.BigInteger, nullable=False),
)
"""Runs of positions whose events are in a file, `checksum` is that of the run's last event."""

APPEND_ONLY = (EVENT, ARCHIVED_JOB, LOG_GAP)
"""Tables that have triggers."""

TOKEN = sa.Table(
    "token",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("scope", JsonText, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("expires_at", UtcTime),
    sa.Column("revoked_at", UtcTime),
    sa.Index(
        "token_of_name",
        "name",
        unique=True,
        sqlite_where=sa.text("revoked_at IS NULL"),
        postgresql_where=sa.text("revoked_at IS NULL"),
    ),
)
"""Who may use the API, see jobs/access. Rows of revoked tokens stay, as the history names them."""

KEYED_REQUEST = sa.Table(
    "keyed_request",
    METADATA,
    sa.Column("client", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("begun_at", UtcTime, nullable=False),
    sa.Column("expires_at", UtcTime, nullable=False),
    sa.Column("job", sa.Text),
    sa.Column("status", sa.Integer),
    sa.Column("headers", sa.Text),
    sa.Column("body", sa.Text),
    sa.Index("keyed_request_by_end", "expires_at"),
)
"""Requests with an Idempotency-Key that took effect or were answered, see jobs/once. `job`: as the command left
it, in JSON. `status`, `headers` (JSON) and `body` are the answer, once there is one."""
