"""What boot reads must not depend on the length of history: the database itself says how it would read."""

import pytest
import sqlalchemy as sa

from server.jobs.commands import Graph
from server.jobs.ids import JobId, Position
from server.store import Store, chain, health, history, queries
from server.store.append import _look_up
from server.store.rows import recorded_of
from server.store.urls import database_of
from tests.store.jobs import query

EVENTS = 30_000


@pytest.fixture
async def long_history(store: Store, url: str, kind: str) -> Store:
    """Two live jobs of 30,000 events, most of them of other ids."""
    numbers = (
        f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {EVENTS}) "
        "INSERT INTO event (position, job_id, incarnation, version, type, schema_version, data, actor, request_id,"
        " recorded_at, checksum) "
        "SELECT i, 'job-' || (i % 500), i / 5000 + 1, i, 'job-deleted', 1, '{}', '', '', '2026-01-01', '' FROM n"
    )
    if kind == "postgres":
        numbers = numbers.replace("'{}'", "CAST('{}' AS jsonb)").replace(
            "'2026-01-01'", "CAST('2026-01-01' AS timestamptz)"
        )
    query(url, numbers)
    query(url, f"UPDATE log_head SET position = {EVENTS}")
    query(url, "ANALYZE")
    return store


READS = {
    "snapshot": queries.snapshot,
    "changes_since": lambda connection: queries.changes_since(connection, queries.Mark(Position(EVENTS - 20))),
    "graph": lambda connection: queries.graph(connection, Graph.of("json", "").digest),
    "last_incarnation": lambda connection: queries.last_incarnation(connection, JobId("job-7")),
    "events": lambda connection: queries.events(connection, Position(EVENTS - 20), 10),
    "events of one": lambda connection: queries.events(connection, Position(0), 10, JobId("job-7")),
    "newest of one": lambda c: history.page_of_job(c, JobId("job-7"), None, 10, newest_first=True),
    "before": lambda c: history.page_of_job(
        c, JobId("job-7"), Position(EVENTS // 500 * 500 + 7), 10, newest_first=True
    ),
    "newest": lambda connection: history.newest_page(connection, 10),
    "election": health.last_election,
}


@pytest.mark.parametrize("name", [*READS, "look-up of a batch"])
async def test_no_read_goes_through_all_events(
    long_history: Store, url: str, kind: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the events above have no checksums
    monkeypatch.setattr(chain, "_trusted", lambda row, _previous: recorded_of(row))
    statements: list[str] = []
    database = database_of(url)
    with database.connect() as connection:

        def explain(_c: object, cursor: object, statement: str, parameters: object, *_rest: object) -> None:
            prefix = "EXPLAIN QUERY PLAN" if kind == "sqlite" else "EXPLAIN"
            rows = connection.connection.dbapi_connection.execute(f"{prefix} {statement}", parameters)  # type: ignore
            statements.append("\n".join(str(row) for row in rows))

        sa.event.listen(connection, "before_cursor_execute", explain)
        if name in READS:
            READS[name](connection)  # type: ignore[operator]
        else:
            ids = [JobId(f"job-{number}") for number in range(60)]
            connection.execute(_look_up(database), {"ids": database.ids_value(ids), "known": 0}).all()

    assert statements
    for plan in statements:
        if kind == "sqlite":
            assert "SCAN log_gap" not in plan
            assert "SCAN archived_job" not in plan
        assert "SCAN event" not in plan.replace("SCAN event USING INDEX event_of_leaders", "")
        assert "Seq Scan on event" not in plan
