import pytest

from server.jobs import events as e
from server.jobs.ids import JobId
from server.store import Store
from tests.store.jobs import CLIENT, RUNNER, B, create, created_and_deleted, query, ready, seen, started


@pytest.fixture
async def busy(store: Store) -> Store:
    """A log with some of everything in it."""
    await store.elect(RUNNER, "machine-a", 1)
    await created_and_deleted(store, JobId("gone"))
    await store.submit(create(), CLIENT)
    await store.submit_all([started(), ready()], RUNNER)
    await store.submit(create(B), CLIENT)
    await store.submit(seen(e.EngineFailed(attempt=1, error="no such unit", failures=1), B), RUNNER)
    assert await store.verify() == []
    return store


@pytest.mark.parametrize(
    ("damage", "job_id", "column"),
    [
        ("UPDATE job SET status = 'SUCCEEDED' WHERE job_id = 'job-a'", "job-a", "status"),
        ("UPDATE job SET error = 'another' WHERE job_id = 'job-b'", "job-b", "error"),
        ("UPDATE job SET engine_pid = 1 WHERE job_id = 'job-a'", "job-a", "engine_pid"),
        ("UPDATE job SET endpoints = '[]' WHERE job_id = 'job-a'", "job-a", "endpoints"),
        ("UPDATE job SET ready_at = NULL WHERE job_id = 'job-a'", "job-a", "ready_at"),
        ("UPDATE job SET position = 1 WHERE job_id = 'job-a'", "job-a", "position"),
        ("DELETE FROM job WHERE job_id = 'job-a'", "job-a", "job_id"),
        ("UPDATE job SET job_id = 'job-x' WHERE job_id = 'job-a'", "job-x", "job_id"),
    ],
)
async def test_damage_is_found_and_mended(busy: Store, url: str, damage: str, job_id: str, column: str) -> None:
    before = (await busy.snapshot()).jobs
    query(url, damage)

    differences = await busy.verify()

    assert (job_id, column) in {(one.job_id, one.column) for one in differences}
    assert await busy.rebuild() == 2
    assert await busy.verify() == []
    assert (await busy.snapshot()).jobs == before


@pytest.mark.parametrize(
    ("damage", "column"),
    [
        ("UPDATE log_head SET position = position + 1", "log_head.position"),
        ("UPDATE graph SET source = 'something else'", "graph.source"),
    ],
)
async def test_damage_beside_the_projection_is_found(busy: Store, url: str, damage: str, column: str) -> None:
    query(url, damage)

    assert [one.column for one in await busy.verify()] == [column]


async def test_a_missing_graph_is_found(busy: Store, url: str) -> None:
    query(url, "DELETE FROM job")
    query(url, "DELETE FROM graph")

    assert "graph" in {one.column for one in await busy.verify()}


async def test_a_hole_in_the_log_is_found(busy: Store, url: str) -> None:
    query(url, "UPDATE log_head SET position = position + 5")
    await busy.submit(create(JobId("job-c")), CLIENT)

    (difference,) = await busy.verify()

    assert (difference.job_id, difference.column) == ("job-c", "event.position")
    assert str(difference) == "position 18, job job-c: event.position is 18, expected 13"


async def test_a_rebuild_while_others_write(busy: Store, url: str) -> None:
    other = await Store.open(url)
    query(url, "DELETE FROM job")
    for number in range(5):
        await other.submit(create(JobId(f"more-{number}")), CLIENT)
        await busy.rebuild()
    await other.close()

    assert await busy.verify() == []
    assert len((await busy.snapshot()).jobs) == 7


async def test_events_of_a_newer_program_are_kept_and_skipped(busy: Store, url: str) -> None:
    query(
        url,
        "INSERT INTO event (position, job_id, incarnation, version, type, schema_version, data, actor, request_id,"
        " recorded_at, checksum) VALUES (100, 'job-a', 1, 4, 'engine-painted', 3, '{\"colour\": \"red\"}', '', '',"
        " '2026-01-02T03:04:05.000006Z', '')",
    )

    recorded = (await busy.events())[-1]

    assert isinstance(recorded.event, e.UnknownEvent)
    assert bytes(recorded.event.data).replace(b" ", b"") == b'{"colour":"red"}'
    assert {"event.position", "log_head.position", "version", "position"} <= {
        one.column for one in await busy.verify()
    }
