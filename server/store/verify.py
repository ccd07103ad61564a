"""Is everything as it was written? And the projection made anew from the log, where it is not."""

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from server.jobs.events import EventsArchived
from server.jobs.ids import Digest, JobId
from server.jobs.state import Job
from server.store import queries
from server.store.audit import Audit, Difference, audit_log
from server.store.errors import Damaged
from server.store.head import Head
from server.store.rows import JSON_COLUMNS, job_values
from server.store.tables import ARCHIVED_JOB, EVENT, GRAPH, JOB, LOG_GAP, LOG_HEAD, LOOP_EVENT

GRAPHS_A_READ = 50


def verify(connection: sa.Connection) -> list[Difference]:
    """Every difference: in the file itself (SQLite), in the chain of events, between log and head, log and
    projection, graphs and their digests. Reads everything once."""
    found = _check_file(connection)
    try:
        audit = audit_log(connection)
        for left_out in queries.left_out(connection).values():
            audit.add_left_out(left_out)
        found += audit.differences
        found += _check_archives(connection, audit)
        found += _check_head(queries.head(connection), audit)
        found += _compare_jobs(connection, audit.jobs)
        found += _check_graphs(connection, audit.digests)
    except SQLAlchemyError as error:
        if not found:
            raise
        reason = " ".join(str(getattr(error, "orig", error)).split())
        found.append(Difference("", "what follows", "readable", f"unreadable ({reason})"))
    return found


def rebuild(connection: sa.Connection) -> tuple[int, bool]:
    """Replaces every row of the projection. Under the writer's lock; see Session.write for the result's form.

    Raises: Damaged, when the log is.
    """
    audit = audit_log(connection)
    if audit.differences:
        raise Damaged(
            f"the event log itself is damaged, nothing can be rebuilt from it ({audit.differences[0]}): run"
            " `modelbox-server db verify` to see all, and restore a backup: `modelbox-server db restore`"
        )
    for job_id, left_out in queries.left_out(connection).items():
        if not audit.add_left_out(left_out):
            connection.execute(sa.delete(LOOP_EVENT).where(LOOP_EVENT.c.job_id == job_id))
    connection.execute(sa.delete(JOB))
    rows = [job_values(job) for job in audit.jobs.values()]
    if rows:
        connection.execute(sa.insert(JOB), rows)
    connection.execute(sa.update(LOG_HEAD).values(jobs=len(rows)))
    return len(rows), True


def _check_file(connection: sa.Connection) -> list[Difference]:
    if connection.dialect.name != "sqlite":
        return []
    try:
        lines = list(connection.exec_driver_sql("PRAGMA integrity_check(20)").scalars())
    except SQLAlchemyError as error:
        lines = [str(getattr(error, "orig", error))]
    return [Difference("", "database file", "ok", " ".join(line.split())) for line in lines if line != "ok"]


def _check_head(head: Head, audit: Audit) -> list[Difference]:
    found = []
    if head.position != audit.position:
        found.append(Difference("", "log_head.position", str(audit.position), str(head.position)))
    elif head.checksum != audit.checksum:
        found.append(Difference("", "log_head.checksum", audit.checksum, head.checksum))
    if head.jobs != len(audit.jobs):
        found.append(Difference("", "log_head.jobs", str(len(audit.jobs)), str(head.jobs)))
    return found


def _check_archives(connection: sa.Connection, audit: Audit) -> list[Difference]:
    """Whether both tables of what is archived say the same, and name events that tell of an archive."""
    size = LOG_GAP.c.to_position - LOG_GAP.c.from_position + 1
    missing = _events_by_archive(connection, LOG_GAP.c.archive, size)
    archived = _events_by_archive(connection, ARCHIVED_JOB.c.archive, ARCHIVED_JOB.c.events)
    found = []
    for archive in sorted(missing.keys() | archived.keys()):
        if archive not in audit.archives:
            found.append(Difference("", "event.type", EventsArchived.type, "another, or none", archive))
        if missing.get(archive) != archived.get(archive):
            column = "archived_job.events"
            found.append(Difference("", column, str(missing.get(archive)), str(archived.get(archive)), archive))
    left = sa.select(EVENT.c.job_id, sa.func.min(EVENT.c.position)).join(
        ARCHIVED_JOB,
        sa.and_(ARCHIVED_JOB.c.job_id == EVENT.c.job_id, ARCHIVED_JOB.c.incarnation == EVENT.c.incarnation),
    )
    for job_id, position in connection.execute(left.group_by(EVENT.c.job_id, EVENT.c.incarnation)):
        found.append(Difference(job_id, "event", "none of an archived incarnation", "one", position))
    return found


def _events_by_archive(
    connection: sa.Connection, archive: sa.Column[int], events: sa.ColumnElement[int]
) -> dict[int, int]:
    sums = sa.select(archive, sa.cast(sa.func.sum(events), sa.BigInteger)).group_by(archive)
    return {row[0]: row[1] for row in connection.execute(sums)}


def _compare_jobs(connection: sa.Connection, jobs: dict[JobId, Job]) -> list[Difference]:
    differences = []
    missing = dict(jobs)
    for row in connection.execute(sa.select(JOB).order_by(JOB.c.job_id)).mappings():
        job = missing.pop(row["job_id"], None)
        if job is None:
            differences.append(Difference(row["job_id"], "job_id", "no such job", "a row"))
        else:
            differences += _compare(job_values(job), dict(row))
    differences += [Difference(job_id, "job_id", "a row", "none") for job_id in missing]
    return differences


def _compare(expected: dict[str, Any], found: dict[str, Any]) -> list[Difference]:
    return [
        Difference(expected["job_id"], column, str(value), str(found[column]))
        for column, value in expected.items()
        if not _is_same(column, value, found[column])
    ]


def _is_same(column: str, expected: Any, found: Any) -> bool:
    if column not in JSON_COLUMNS:
        return bool(found == expected)
    try:  # Postgres writes JSON in its own way
        return bool(_json_of(found) == _json_of(expected))
    except msgspec.DecodeError:
        return False


def _json_of(text: str | None) -> Any:
    return None if text is None else msgspec.json.decode(text)


def _check_graphs(connection: sa.Connection, digests: dict[Digest, JobId]) -> list[Difference]:
    differences = []
    missing = dict(digests)
    last = ""
    page = sa.select(GRAPH.c.digest, GRAPH.c.plan.is_not(None)).order_by(GRAPH.c.digest).limit(GRAPHS_A_READ)
    while rows := connection.execute(page.where(GRAPH.c.digest > last)).all():
        for digest, has_plan in rows:
            job_id = missing.pop(digest, JobId(""))
            differences += _check_graph(connection, digest, has_plan, job_id)
        last = rows[-1][0]
    differences += [Difference(job_id, "graph", digest, "none") for digest, job_id in missing.items()]
    return differences


def _check_graph(connection: sa.Connection, digest: Digest, has_plan: bool, job_id: JobId) -> list[Difference]:
    try:
        graph = queries.graph(connection, digest)
    except (Damaged, ValueError):
        return [Difference(job_id, "graph.source", f"the source of digest {digest}", "another")]
    if has_plan and (graph is None or graph.plan is None):
        return [Difference(job_id, "graph.plan", f"the plan of digest {digest}", "another")]
    return []
