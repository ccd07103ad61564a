"""The views are for people, and stay as they are: names, order and meaning of their columns."""

from datetime import UTC, datetime, timedelta

import pytest

from server.jobs import events as e
from server.jobs.commands import CreateJob
from server.jobs.options import JobOptions
from server.store import Store
from tests.store.jobs import (
    CLIENT,
    GRAPH,
    RUNNER,
    A,
    B,
    create,
    created_and_deleted,
    delete,
    query,
    ready,
    seen,
    started,
)

RETRY_AT = datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
STALLED = e.FlowStalled(attempt=1, number=1, reason="node 'a' hangs", since=RETRY_AT, nodes=())


@pytest.fixture
async def told(store: Store) -> Store:
    """job-a crashed, was lost, runs again; job-b failed for good."""
    await store.elect(RUNNER, "machine-a", 1)
    await store.submit(create(), CLIENT)
    await store.submit_all([started(), ready()], RUNNER)
    crash = e.EngineExited(attempt=1, exit_code=None, signal=9, error="killed", failures=1, retry_at=RETRY_AT)
    await store.submit_all([seen(crash), started(2)], RUNNER)
    await store.submit_all([seen(e.EngineLost(attempt=2, reason="reboot")), started(3), ready(3)], RUNNER)
    await store.submit(create(B), CLIENT)
    await store.submit(seen(e.EngineFailed(attempt=1, error="no such unit", failures=1), B), RUNNER)
    return store


async def test_job_now(told: Store, url: str) -> None:
    a, b = query(url, "SELECT * FROM job_now ORDER BY job_id")

    assert list(a) == [
        *("job_id", "status", "error", "since", "attempt", "failures", "last_exit", "stalled"),
        *("retry_at", "ready_at", "endpoints", "version", "changes"),
        *("desired", "actual", "outcome", "origin", "created_at", "incarnation", "events", "position"),
        *("graph_digest", "engine_host", "engine_pid", "engine_run_dir"),
    ]
    assert (a["job_id"], a["status"], a["attempt"], a["engine_pid"]) == ("job-a", "RUNNING", 3, 4711)
    assert (b["job_id"], b["status"], b["error"]) == ("job-b", "FAILED", "no such unit")


async def test_job_label(store: Store, url: str) -> None:
    for job_id, labels in ((A, {"team": "v", "site": ""}), (B, {})):
        options = JobOptions(labels=labels)
        await store.submit(CreateJob(job_id=job_id, graph=GRAPH, options=options), CLIENT)

    assert query(url, "SELECT * FROM job_label ORDER BY name") == [
        {"job_id": A, "name": "site", "value": ""},
        {"job_id": A, "name": "team", "value": "v"},
    ]


async def test_job_history(told: Store, url: str) -> None:
    rows = query(url, "SELECT * FROM job_history WHERE job_id = 'job-a' ORDER BY position")

    assert list(rows[0]) == [
        *("position", "at", "job_id", "incarnation", "what", "why", "attempt", "actor", "request_id"),
        *("idempotency_key", "epoch", "number", "type"),
    ]
    assert [(row["what"], row["why"], row["attempt"]) for row in rows] == [
        ("created over REST", "", None),
        ("attempt 1 started: pid 4711 on machine-a", "", 1),
        ("attempt 1 is ready", "", 1),
        ("attempt 1 ended by signal 9, next try at 2030-01-02T03:04:05.678901Z", "killed", 1),
        ("attempt 2 started: pid 4711 on machine-a", "", 2),
        ("attempt 2 was found gone", "reboot", 2),
        ("attempt 3 started: pid 4711 on machine-a", "", 3),
        ("attempt 3 is ready", "", 3),
    ]
    assert (rows[0]["actor"], rows[0]["request_id"]) == ("10.0.0.7", "req-1")


@pytest.mark.parametrize(
    ("event", "what", "why"),
    [
        (
            e.EngineAdopted(attempt=1, engine=e.EngineIdentity(1, 2, "b", "h", "/r")),
            "taken over by a new leader",
            "",
        ),
        (e.EngineUnreachable(attempt=1, reason="no answer"), "does not answer", "no answer"),
        (e.EngineFailed(attempt=1, error="bad", failures=1), "failed, for good", "bad"),
        (
            e.EngineExited(attempt=1, exit_code=3, signal=None, error="exit", failures=1),
            "ended with exit code 3, for good",
            "exit",
        ),
        (
            e.EngineExited(attempt=1, exit_code=None, signal=None, error="?", failures=1),
            "ended unseen, for good",
            "?",
        ),
        (e.EngineStopped(attempt=1, reason="newer file"), "was stopped", "newer file"),
        (STALLED, "makes no progress", "node 'a' hangs"),
        (e.FlowSucceeded(attempt=1), "succeeded", ""),
    ],
)
async def test_job_history_says_what_happened(store: Store, url: str, event: e.Event, what: str, why: str) -> None:
    await store.submit(create(), CLIENT)
    await store.submit_all([started(), seen(event)], RUNNER)

    (last,) = query(url, "SELECT what, why FROM job_history ORDER BY position DESC LIMIT 1")

    assert last == {"what": f"attempt 1 {what}", "why": why}


async def test_job_history_of_a_delete(store: Store, url: str) -> None:
    await created_and_deleted(store)

    rows = query(url, "SELECT what FROM job_history ORDER BY position")

    assert [row["what"] for row in rows][-3:] == ["delete requested", "attempt 1 was stopped", "deleted"]


async def test_job_attempts(told: Store, url: str) -> None:
    rows = query(url, "SELECT * FROM job_attempts ORDER BY job_id, attempt")

    assert list(rows[0]) == [
        *("job_id", "incarnation", "attempt", "attempts", "started_at", "ready_at", "ended_at", "how", "why"),
        *("engine_pid", "engine_host", "seconds_running"),
    ]
    assert [(row["job_id"], row["attempt"], row["how"], row["why"]) for row in rows] == [
        ("job-a", 1, "exited", "killed"),
        ("job-a", 2, "lost", "reboot"),
        ("job-a", 3, "running", ""),
        ("job-b", 1, "failed", "no such unit"),
    ]
    assert [row["ready_at"] is None for row in rows] == [False, True, False, True]
    assert [row["ended_at"] is None for row in rows] == [False, False, True, False]
    assert rows[3]["started_at"] is None


async def test_an_attempt_that_nobody_ended_ends_with_its_job(store: Store, url: str) -> None:
    await store.submit(create(), CLIENT)
    await store.submit_all([started(), ready()], RUNNER)
    await store.submit_all([delete(), seen(e.JobDeleted())], RUNNER)

    (row,) = query(url, "SELECT how, ended_at FROM job_attempts")

    assert row["how"] == "deleted"
    assert row["ended_at"] is not None


async def test_job_uptime(store: Store, url: str, kind: str) -> None:
    """Durations are made by hand: an hour in the log, half of it ready."""
    await store.submit(create(), CLIENT)
    await store.submit_all([started(), ready(), seen(e.FlowSucceeded(attempt=1))], RUNNER)
    await store.submit(create(B), CLIENT)
    _age(url, kind)

    (row, other) = query(url, "SELECT * FROM job_uptime ORDER BY job_id")

    assert list(row) == [
        *("job_id", "incarnation", "created_at", "deleted_at", "attempts", "seconds_running"),
        *("seconds_since_creation", "share_running"),
    ]
    assert (row["attempts"], row["deleted_at"]) == (1, None)
    assert row["seconds_running"] == pytest.approx(1800, abs=1)
    assert row["seconds_since_creation"] == pytest.approx(3600, abs=60)
    assert row["share_running"] == pytest.approx(0.5, abs=0.02)
    assert (other["attempts"], other["seconds_running"], other["share_running"]) == (0, 0.0, 0.0)


def _age(url: str, kind: str) -> None:
    """Moves job-a's history: created and ready an hour ago, done half an hour ago. Only without the triggers."""
    now = datetime.now(UTC)
    if kind == "sqlite":
        query(url, "DROP TRIGGER event_is_not_changed")
    else:
        query(url, "ALTER TABLE event DISABLE TRIGGER event_is_not_changed")
    for condition, ago in (("<> 'flow-succeeded'", 60), ("= 'flow-succeeded'", 30)):
        at = (now - timedelta(minutes=ago)).isoformat(timespec="microseconds")[:26] + "Z"
        query(
            url,
            f"UPDATE event SET recorded_at = '{at.replace(':', chr(92) + ':')}'"
            f" WHERE job_id = 'job-a' AND type {condition}",
        )


async def test_times_read_well(store: Store, url: str, kind: str) -> None:
    appended = await store.submit(create(), CLIENT)

    (row,) = query(url, "SELECT recorded_at FROM event")

    at = appended.events[0].recorded_at
    assert row["recorded_at"] == (at.isoformat(timespec="microseconds")[:26] + "Z" if kind == "sqlite" else at)
