"""The log is append-only, whoever tries."""

import pytest
from sqlalchemy.exc import DBAPIError

from server.store import Store
from tests.store.jobs import CLIENT, RUNNER, create, query, ready, started

COLUMNS = "position, job_id, incarnation, version, type, schema_version, data, actor, request_id, recorded_at"
VALUES = f"({COLUMNS}, checksum)"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET actor = 'someone else'",
        "UPDATE event SET position = position + 10 WHERE position = 3",
        "DELETE FROM event WHERE position = 1",
        "DELETE FROM event",
    ],
)
async def test_events_are_neither_changed_nor_deleted(store: Store, url: str, statement: str) -> None:
    await store.submit(create(), CLIENT)
    await store.submit_all([started(), ready()], RUNNER)
    before = query(url, "SELECT * FROM event ORDER BY position")

    with pytest.raises(DBAPIError, match=r"event is append-only: (UPDATE|DELETE) refused"):
        query(url, statement)

    assert query(url, "SELECT * FROM event ORDER BY position") == before


@pytest.mark.parametrize("kind", ["postgres"])
async def test_the_log_is_not_truncated(store: Store, url: str) -> None:
    await store.submit(create(), CLIENT)

    with pytest.raises(DBAPIError, match="event is append-only: TRUNCATE refused"):
        query(url, "TRUNCATE event")

    assert len(await store.events()) == 1


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize("row", ["(1, 'x', 1, 1", "(9, 'job-a', 1, 1"], ids=["same position", "same version"])
async def test_events_are_not_replaced(store: Store, url: str, row: str) -> None:
    """INSERT OR REPLACE deletes without asking the triggers for deletes."""
    await store.submit(create(), CLIENT)

    with pytest.raises(DBAPIError, match="append-only: this position or version is taken"):
        query(url, f"INSERT OR REPLACE INTO event {VALUES} VALUES {row}, 't', 1, '{{}}', '', '', '', '')")

    assert [one.type for one in await store.events()] == ["job-created"]


async def test_a_version_is_given_once(store: Store, url: str) -> None:
    await store.submit(create(), CLIENT)

    with pytest.raises(DBAPIError):
        query(
            url,
            f"INSERT INTO event {VALUES} VALUES (2, 'job-a', 1, 1, 't', 1, '{{}}', '', '', '2026-01-01', '')",
        )


async def test_there_is_one_head(store: Store, url: str) -> None:
    with pytest.raises(DBAPIError):
        query(url, "INSERT INTO log_head (id, position, epoch) VALUES (2, 0, 0)")
