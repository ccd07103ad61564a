"""The log, its head, graphs, the projection; triggers that keep the log append-only; views for people."""

import re

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG = sa.BigInteger()
TIME = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
JSON = JSONB().with_variant(sa.Text(), "sqlite")
ENDING = (
    "type IN ('engine-failed', 'engine-exited', 'engine-lost', 'engine-stopped', 'flow-succeeded',"
    " 'attempts-summed-up', 'change-failed')"
)

WORDS = {
    "sqlite": (
        (r"@now\b", "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"),
        (r"@text\(([a-z_.]+)\)", r"CAST(json_extract(data, '$.\1') AS TEXT)"),
        (r"@int\(([a-z_.]+)\)", r"json_extract(data, '$.\1')"),
        (r"@real\(([a-z_]+)\)", r"json_extract(data, '$.\1')"),
        # as long as the times of columns, so that both sort together
        (r"@time\(([a-z_]+)\)", r"strftime('%Y-%m-%dT%H:%M:%f000Z', json_extract(data, '$.\1'))"),
        (r"@seconds\(([a-z_.]+)\|(.+?\))\) ", r"ROUND(MAX((julianday(\2) - julianday(\1)) * 86400.0, 0.0), 3) "),
        (r"@ratio\((\w+)\|(\w+)\)", r"ROUND(\1 / \2, 4)"),
        (r"@labels\b", "json_each(job.options, '$.labels')"),
    ),
    "postgresql": (
        (r"@now\b", "now()"),
        (r"@text\(engine\.([a-z_]+)\)", r"(data -> 'engine' ->> '\1')"),
        (r"@int\(engine\.([a-z_]+)\)", r"CAST(data -> 'engine' ->> '\1' AS bigint)"),
        (r"@text\(([a-z_]+)\)", r"(data ->> '\1')"),
        (r"@int\(([a-z_]+)\)", r"CAST(data ->> '\1' AS bigint)"),
        (r"@real\(([a-z_]+)\)", r"CAST(data ->> '\1' AS double precision)"),
        (r"@time\(([a-z_]+)\)", r"CAST(data ->> '\1' AS timestamptz)"),
        (
            r"@seconds\(([a-z_.]+)\|(.+?\))\) ",
            r"CAST(ROUND(GREATEST(EXTRACT(EPOCH FROM (\2) - (\1)), 0.0), 3) AS double precision) ",
        ),
        (r"@ratio\((\w+)\|(\w+)\)", r"CAST(ROUND(CAST(\1 / \2 AS numeric), 4) AS double precision)"),
        (r"@labels\b", "LATERAL jsonb_each_text(job.options -> 'labels')"),
    ),
}
"""What the views write with an @, in each dialect's SQL."""


def upgrade() -> None:
    _tables()
    dialect = op.get_bind().dialect.name
    for statement in TRIGGERS[dialect]:
        op.execute(sa.text(statement.replace(":", r"\:")))
    for view in VIEWS:
        op.execute(sa.text(_in_dialect(view, dialect).replace(":", r"\:")))


def _in_dialect(sql: str, dialect: str) -> str:
    sql = sql.replace("@ending", ENDING)
    for pattern, replacement in WORDS[dialect]:
        sql = re.sub(pattern, replacement, sql)
    return sql


def _tables() -> None:
    op.create_table(
        "event",
        sa.Column("position", BIG.with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=False),
        sa.Column("job_id", sa.Text),
        sa.Column("incarnation", BIG),
        sa.Column("version", BIG),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("schema_version", sa.Integer, nullable=False),
        sa.Column("data", JSON, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("idempotency_key", sa.Text),
        sa.Column("epoch", BIG),
        sa.Column("recorded_at", TIME, nullable=False),
        sa.Column("checksum", sa.Text, nullable=False),
        sa.UniqueConstraint("job_id", "incarnation", "version", name="event_of_job"),
        sa.CheckConstraint(
            "(job_id IS NULL) = (incarnation IS NULL) AND (job_id IS NULL) = (version IS NULL)",
            name="event_of_job_or_leader",
        ),
    )
    op.execute("CREATE INDEX event_of_leaders ON event (position) WHERE type = 'leader-elected'")
    op.create_table(
        "log_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("position", BIG, nullable=False),
        sa.Column("epoch", BIG, nullable=False),
        sa.Column("fence", BIG, nullable=False),
        sa.Column("left_out", BIG, nullable=False),
        sa.Column("jobs", BIG, nullable=False),
        sa.Column("checksum", sa.Text, nullable=False),
        sa.CheckConstraint("id = 1", name="log_head_is_one_row"),
    )
    op.execute(
        "INSERT INTO log_head (id, position, epoch, fence, left_out, jobs, checksum) VALUES (1, 0, 0, 0, 0, 0, '')"
    )
    op.create_table(
        "loop_event",
        sa.Column("job_id", sa.Text, primary_key=True),
        sa.Column("number", BIG, primary_key=True, autoincrement=False),
        sa.Column("incarnation", BIG, nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("position", BIG, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("schema_version", sa.Integer, nullable=False),
        sa.Column("data", JSON, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("epoch", BIG),
        sa.Column("recorded_at", TIME, nullable=False),
        sa.Column("mark", BIG, nullable=False),
    )
    op.create_index("loop_event_by_mark", "loop_event", ["mark"])
    op.create_table(
        "graph",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("format", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("escaped", sa.Boolean, nullable=False),
        sa.Column("plan", sa.Text),
        sa.Column("plan_checksum", sa.Text),
        sa.Column("created_at", TIME, nullable=False),
    )
    op.create_table(
        "job",
        sa.Column("job_id", sa.Text, primary_key=True),
        sa.Column("incarnation", BIG, nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("position", BIG, nullable=False),
        sa.Column("graph_digest", sa.Text, sa.ForeignKey("graph.digest", name="graph_of_job"), nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("file_digest", sa.Text, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("desired", sa.Text, nullable=False),
        sa.Column("actual", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("attempt", BIG, nullable=False),
        sa.Column("failures", BIG, nullable=False),
        sa.Column("rounds", BIG, nullable=False),
        sa.Column("in_interval", BIG, nullable=False),
        sa.Column("interval_began", TIME),
        sa.Column("retry_at", TIME),
        sa.Column("ready_at", TIME),
        sa.Column("ever_ready", sa.Boolean, nullable=False),
        sa.Column("last_exit", JSON),
        sa.Column("stalled", JSON),
        sa.Column("stalls", BIG, nullable=False),
        sa.Column("engine_pid", BIG),
        sa.Column("engine_start_time", BIG),
        sa.Column("engine_boot_id", sa.Text),
        sa.Column("engine_host", sa.Text),
        sa.Column("engine_run_dir", sa.Text),
        sa.Column("options", JSON, nullable=False),
        sa.Column("endpoints", JSON, nullable=False),
        sa.Column("revision", BIG, nullable=False),
        sa.Column("changes", JSON, nullable=False),
        sa.Column("orders", JSON, nullable=False),
        sa.Column("generation", BIG, nullable=False),
        sa.Column("left_out", BIG, nullable=False),
        sa.Column("checksum", sa.Text, nullable=False),
    )
    op.create_index("job_by_position", "job", ["position"])
    op.create_table(
        "archived_job",
        sa.Column("job_id", sa.Text, primary_key=True),
        sa.Column("incarnation", BIG, primary_key=True, autoincrement=False),
        sa.Column("events", BIG, nullable=False),
        sa.Column("from_position", BIG, nullable=False),
        sa.Column("to_position", BIG, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("deleted_at", TIME, nullable=False),
        sa.Column("archive", BIG, nullable=False),
    )
    op.create_index("archived_job_by_position", "archived_job", ["to_position"])
    op.create_table(
        "log_gap",
        sa.Column("to_position", BIG.with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=False),
        sa.Column("from_position", BIG, nullable=False),
        sa.Column("checksum", sa.Text, nullable=False),
        sa.Column("archive", BIG, nullable=False),
        sa.CheckConstraint("from_position > 1 AND from_position <= to_position", name="log_gap_is_a_range"),
    )
    op.create_table(
        "token",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("scope", JSON, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME),
        sa.Column("revoked_at", TIME),
    )
    op.execute("CREATE UNIQUE INDEX token_of_name ON token (name) WHERE revoked_at IS NULL")
    op.create_table(
        "keyed_request",
        sa.Column("client", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("begun_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("job", sa.Text),
        sa.Column("status", sa.Integer),
        sa.Column("headers", sa.Text),
        sa.Column("body", sa.Text),
    )
    op.create_index("keyed_request_by_end", "keyed_request", ["expires_at"])


IS_ARCHIVED = """
EXISTS (SELECT 1 FROM archived_job AS a WHERE a.job_id = OLD.job_id AND a.incarnation = OLD.incarnation)
AND EXISTS (
    SELECT 1 FROM log_gap AS g
    WHERE g.to_position = (SELECT MIN(to_position) FROM log_gap WHERE to_position >= OLD.position)
    AND g.from_position <= OLD.position AND (g.to_position > OLD.position OR g.checksum = OLD.checksum)
)
"""

TRIGGERS = {
    "sqlite": (
        "CREATE TRIGGER event_is_not_changed BEFORE UPDATE ON event"
        " BEGIN SELECT RAISE(ABORT, 'event is append-only: UPDATE refused'); END",
        f"CREATE TRIGGER event_is_not_deleted BEFORE DELETE ON event WHEN NOT ({IS_ARCHIVED})"
        " BEGIN SELECT RAISE(ABORT, 'event is append-only: DELETE refused'); END",
        # INSERT OR REPLACE would delete a row without firing the trigger above
        "CREATE TRIGGER event_is_not_replaced BEFORE INSERT ON event"
        " WHEN EXISTS (SELECT 1 FROM event WHERE position = NEW.position)"
        " OR EXISTS (SELECT 1 FROM event WHERE job_id = NEW.job_id AND incarnation = NEW.incarnation"
        " AND version = NEW.version)"
        " BEGIN SELECT RAISE(ABORT, 'event is append-only: this position or version is taken'); END",
        *(
            f"CREATE TRIGGER {table}_refuses_{change.lower()} BEFORE {change} ON {table}"
            f" BEGIN SELECT RAISE(ABORT, '{table} is append-only: {change} refused'); END"
            for table in ("archived_job", "log_gap")
            for change in ("UPDATE", "DELETE")
        ),
    ),
    "postgresql": (
        """CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP; END $$""",
        f"""CREATE FUNCTION refuse_delete() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN
               IF {IS_ARCHIVED} THEN RETURN OLD; END IF;
               RAISE EXCEPTION 'event is append-only: DELETE refused';
           END $$""",
        "CREATE TRIGGER event_is_not_changed BEFORE UPDATE ON event FOR EACH ROW EXECUTE FUNCTION refuse_change()",
        "CREATE TRIGGER event_is_not_deleted BEFORE DELETE ON event FOR EACH ROW EXECUTE FUNCTION refuse_delete()",
        "CREATE TRIGGER event_is_not_truncated BEFORE TRUNCATE ON event"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
        *(
            f"CREATE TRIGGER {table}_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
            for table in ("archived_job", "log_gap")
        ),
    ),
}

JOB_NOW = """
CREATE VIEW job_now AS
SELECT job_id, status, error, changed_at AS since, attempt, failures, last_exit, stalled, retry_at, ready_at,
       endpoints, revision AS version, changes,
       desired, actual, outcome, origin, created_at, incarnation, version AS events, position, graph_digest,
       engine_host, engine_pid, engine_run_dir
FROM job
"""

JOB_HISTORY = """
CREATE VIEW job_history AS
SELECT position, recorded_at AS at, job_id, incarnation,
       CASE type
           WHEN 'job-created' THEN
               CASE @text(origin) WHEN 'file' THEN 'created from its file' ELSE 'created over REST' END
           WHEN 'engine-started' THEN
               'attempt ' || @text(attempt) || ' started: pid ' || @text(engine.pid)
               || ' on ' || @text(engine.host)
           WHEN 'engine-ready' THEN 'attempt ' || @text(attempt) || ' is ready'
           WHEN 'engine-adopted' THEN 'attempt ' || @text(attempt) || ' taken over by a new leader'
           WHEN 'engine-unreachable' THEN 'attempt ' || @text(attempt) || ' does not answer'
           WHEN 'flow-stalled' THEN 'attempt ' || @text(attempt) || ' makes no progress'
           WHEN 'flow-recovered' THEN 'attempt ' || @text(attempt) || ' goes on'
           WHEN 'engine-healthy' THEN 'attempt ' || @text(attempt) || ' runs well: failures count anew'
           WHEN 'engine-failed' THEN 'attempt ' || @text(attempt) || ' failed, '
               || COALESCE('next try at ' || @text(retry_at), 'for good')
           WHEN 'engine-exited' THEN 'attempt ' || @text(attempt) || ' ended '
               || COALESCE('by signal ' || @text(signal), 'with exit code ' || @text(exit_code), 'unseen') || ', '
               || COALESCE('next try at ' || @text(retry_at), 'for good')
           WHEN 'engine-lost' THEN 'attempt ' || @text(attempt) || ' was found gone'
           WHEN 'engine-stopped' THEN 'attempt ' || @text(attempt) || ' was stopped'
           WHEN 'flow-succeeded' THEN 'attempt ' || @text(attempt) || ' succeeded'
           WHEN 'attempts-summed-up' THEN
               @text(attempts) || ' attempts more, up to attempt ' || @text(attempt) || ', the last one '
               || @text(how) || ', next try at ' || @text(retry_at)
           WHEN 'change-requested' THEN
               CASE @text(back_to) WHEN '0' THEN 'change to version ' || @text(revision) || ' requested'
               ELSE 'roll back to version ' || @text(back_to) || ' requested, as version ' || @text(revision) END
           WHEN 'successor-started' THEN
               'attempt ' || @text(attempt) || ' started, to take over: pid ' || @text(engine.pid)
               || ' on ' || @text(engine.host)
           WHEN 'change-applied' THEN
               'is at version ' || @text(revision) || COALESCE(', with attempt ' || @text(attempt), '')
           WHEN 'change-failed' THEN 'version ' || @text(revision) || ' came to nothing'
           WHEN 'stop-requested' THEN
               'stop requested' || CASE WHEN @text(grace) IN ('0', '0.0') THEN ', by force' ELSE '' END
           WHEN 'start-requested' THEN 'start requested'
           WHEN 'restart-requested' THEN
               'restart requested' || CASE WHEN @text(grace) IN ('0', '0.0') THEN ', by force' ELSE '' END
           WHEN 'delete-requested' THEN
               'delete requested' || CASE WHEN @text(grace) IN ('0', '0.0') THEN ', by force' ELSE '' END
           WHEN 'job-deleted' THEN 'deleted'
           ELSE type
       END AS what,
       COALESCE(@text(error), @text(reason), '') AS why,
       @int(attempt) AS attempt, actor, request_id, idempotency_key, epoch, version AS number, type
FROM event
WHERE job_id IS NOT NULL
"""

JOB_ATTEMPTS = """
CREATE VIEW job_attempts AS
SELECT job_id, incarnation, attempt, attempts, started_at, ready_at, ended_at, how, why, engine_pid, engine_host,
       COALESCE(
           summed_up,
           CASE WHEN ready_at IS NULL THEN 0.0 ELSE @seconds(ready_at|COALESCE(ended_at, @now)) END
       ) AS seconds_running
FROM (
    SELECT one.job_id, one.incarnation, one.attempt, one.attempts, one.started_at, one.ready_at, one.engine_pid,
           one.engine_host, one.summed_up,
           COALESCE(one.ended_at, deleted.recorded_at) AS ended_at,
           COALESCE(one.how, CASE WHEN deleted.recorded_at IS NULL THEN 'running' ELSE 'deleted' END) AS how,
           COALESCE(one.why, '') AS why
    FROM (
        SELECT job_id, incarnation, @int(attempt) AS attempt,
               COALESCE(MAX(@int(attempts)), 1) AS attempts,
               MIN(CASE type WHEN 'attempts-summed-up' THEN @time(began_at) ELSE recorded_at END)
                   FILTER (WHERE type IN ('engine-started', 'engine-adopted', 'attempts-summed-up',
                       'successor-started')) AS started_at,
               MIN(recorded_at) FILTER (WHERE type = 'engine-ready') AS ready_at,
               MAX(recorded_at) FILTER (WHERE @ending) AS ended_at,
               MAX(CASE type
                   WHEN 'engine-failed' THEN 'failed' WHEN 'engine-exited' THEN 'exited'
                   WHEN 'engine-lost' THEN 'lost' WHEN 'engine-stopped' THEN 'stopped'
                   WHEN 'change-failed' THEN 'failed' WHEN 'flow-succeeded' THEN 'succeeded'
                   WHEN 'attempts-summed-up' THEN @text(how) END) AS how,
               MAX(COALESCE(@text(error), @text(reason))) FILTER (WHERE @ending) AS why,
               MAX(@int(engine.pid)) AS engine_pid,
               MAX(@text(engine.host)) AS engine_host,
               MAX(@real(seconds_running)) AS summed_up
        FROM (
            SELECT job_id, incarnation, type, data, recorded_at FROM event
            WHERE job_id IS NOT NULL AND @text(attempt) IS NOT NULL
            UNION ALL
            SELECT job_id, incarnation, type, data, recorded_at FROM loop_event
        ) AS happened
        GROUP BY job_id, incarnation, @int(attempt)
    ) AS one
    LEFT JOIN event AS deleted
        ON deleted.job_id = one.job_id AND deleted.incarnation = one.incarnation AND deleted.type = 'job-deleted'
) AS attempts
"""

JOB_UPTIME = """
CREATE VIEW job_uptime AS
SELECT job_id, incarnation, created_at, deleted_at, attempts, seconds_running, seconds_since_creation,
       CASE WHEN seconds_since_creation > 0 THEN @ratio(seconds_running|seconds_since_creation) ELSE 0.0 END
           AS share_running
FROM (
    SELECT created.job_id, created.incarnation, created.recorded_at AS created_at,
           deleted.recorded_at AS deleted_at,
           (SELECT CAST(COALESCE(SUM(a.attempts), 0) AS bigint) FROM job_attempts AS a
            WHERE a.job_id = created.job_id AND a.incarnation = created.incarnation) AS attempts,
           (SELECT COALESCE(SUM(a.seconds_running), 0.0) FROM job_attempts AS a
            WHERE a.job_id = created.job_id AND a.incarnation = created.incarnation) AS seconds_running,
           @seconds(created.recorded_at|COALESCE(deleted.recorded_at, @now)) AS seconds_since_creation
    FROM event AS created
    LEFT JOIN event AS deleted
        ON deleted.job_id = created.job_id AND deleted.incarnation = created.incarnation
        AND deleted.type = 'job-deleted'
    WHERE created.type = 'job-created'
) AS lives
"""

JOB_LABEL = """
CREATE VIEW job_label AS
SELECT job.job_id, label.key AS name, label.value AS value FROM job CROSS JOIN @labels AS label
"""

VIEWS = (JOB_NOW, JOB_HISTORY, JOB_ATTEMPTS, JOB_UPTIME, JOB_LABEL)
