"""Does the projection equal the fold of the log? And making it so."""

from collections.abc import Iterator
from typing import Any

import msgspec
import sqlalchemy as sa

from server.jobs.crash_loop import fold_left_out
from server.jobs.events import JobCreated, Recorded
from server.jobs.ids import Digest, JobId, Position, digest_of
from server.jobs.state import Job, fold
from server.store import queries
from server.store.rows import JSON_COLUMNS, job_values
from server.store.tables import GRAPH, JOB, LOOP_EVENT

EVENTS_A_READ = 5_000
GRAPHS_A_READ = 50


class Difference(msgspec.Struct, frozen=True):
    """Something that is not as the log says. `job_id` is "" when it is about the log itself."""

    job_id: str
    column: str
    expected: str
    found: str

    def __str__(self) -> str:
        where = f"job {self.job_id}" if self.job_id else "log"
        return f"{where}: {self.column} is {self.found}, expected {self.expected}"


def verify(connection: sa.Connection) -> list[Difference]:
    """Every difference between log and projection, and every hole in the log. Reads everything once."""
    folding = Folding()
    for recorded in _all_events(connection):
        folding.add(recorded)
    for left_out in queries.left_out(connection).values():
        folding.add_left_out(left_out)
    head, _ = queries.head(connection)
    found = folding.differences
    if head != folding.position:
        found.append(Difference("", "log_head.position", str(folding.position), str(head)))
    return found + _compare_jobs(connection, folding.jobs) + _check_graphs(connection, folding.digests)


def rebuild(connection: sa.Connection) -> tuple[int, bool]:
    """Replaces every row of the projection. Under the writer's lock; see Session.write for the result's form."""
    folding = Folding()
    for recorded in _all_events(connection):
        folding.add(recorded)
    for job_id, left_out in queries.left_out(connection).items():
        if not folding.add_left_out(left_out):
            connection.execute(sa.delete(LOOP_EVENT).where(LOOP_EVENT.c.job_id == job_id))
    connection.execute(sa.delete(JOB))
    rows = [job_values(job) for job in folding.jobs.values()]
    if rows:
        connection.execute(sa.insert(JOB), rows)
    return len(rows), True


class Folding:
    """The fold over events in order, and what is wrong with that order."""

    def __init__(self) -> None:
        self.position = Position(0)
        self.jobs: dict[JobId, Job] = {}
        self.digests: dict[Digest, JobId] = {}
        self.differences: list[Difference] = []
        self._last: dict[JobId, tuple[int, int]] = {}

    def add(self, recorded: Recorded) -> None:
        self._check_position(recorded)
        self.position = recorded.position
        if not recorded.job_id:
            return
        self._check_version(recorded)
        if isinstance(recorded.event, JobCreated):
            self.digests[recorded.event.graph_digest] = recorded.job_id
        job = fold(self.jobs.get(recorded.job_id), recorded)
        if job is None:
            self.jobs.pop(recorded.job_id, None)
        else:
            self.jobs[recorded.job_id] = job

    def add_left_out(self, left_out: queries.LeftOut) -> bool:
        """Once all events are in: what stands beside the log about one job. False when it belongs to another state
        of the log, and thus changes nothing."""
        first = left_out.events[0]
        job = self.jobs.get(first.job_id)
        place = (first.incarnation, first.version, first.position)
        expected = None if job is None else (job.incarnation, job.version, job.position)
        if job is None or place != expected:
            self.differences.append(Difference(first.job_id, "loop_event", f"after {expected}", f"after {place}"))
            return False
        for recorded in left_out.events:
            job = fold_left_out(job, recorded, left_out.number)
        self.jobs[job.job_id] = job
        return True

    def _check_position(self, recorded: Recorded) -> None:
        if recorded.position != self.position + 1:
            self.differences.append(
                Difference(recorded.job_id, "event.position", str(self.position + 1), str(recorded.position))
            )

    def _check_version(self, recorded: Recorded) -> None:
        incarnation, version = self._last.get(recorded.job_id, (0, 0))
        expected = (incarnation + 1, 1) if isinstance(recorded.event, JobCreated) else (incarnation, version + 1)
        found = (recorded.incarnation, recorded.version)
        if found != expected:
            self.differences.append(
                Difference(recorded.job_id, f"event.version at {recorded.position}", str(expected), str(found))
            )
        self._last[recorded.job_id] = found


def _all_events(connection: sa.Connection) -> Iterator[Recorded]:
    position = Position(0)
    while page := queries.events(connection, position, EVENTS_A_READ):
        yield from page
        position = page[-1].position


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
    differences = []
    for column, value in expected.items():
        same = found[column] == value
        if column in JSON_COLUMNS:  # Postgres writes JSON in its own way
            same = _json_of(found[column]) == _json_of(value)
        if not same:
            differences.append(Difference(expected["job_id"], column, str(value), str(found[column])))
    return differences


def _json_of(text: str | None) -> Any:
    return None if text is None else msgspec.json.decode(text)


def _check_graphs(connection: sa.Connection, digests: dict[Digest, JobId]) -> list[Difference]:
    differences = []
    missing = dict(digests)
    last = ""
    page = sa.select(GRAPH.c.digest).order_by(GRAPH.c.digest).limit(GRAPHS_A_READ)
    while names := list(connection.scalars(page.where(GRAPH.c.digest > last))):
        for name in names:
            missing.pop(name, None)
            graph = queries.graph(connection, name)
            assert graph is not None
            digest = digest_of(graph.format, graph.source)
            if digest != name:
                differences.append(Difference("", "graph.digest", digest, name))
        last = names[-1]
    differences += [Difference(job_id, "graph", digest, "none") for digest, job_id in missing.items()]
    return differences
