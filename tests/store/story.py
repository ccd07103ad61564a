"""A little history with fixed times, for documentation to show."""

from datetime import UTC, datetime, timedelta

from server.jobs import events as e
from server.jobs.commands import Context, CreateJob, Graph
from server.jobs.ids import JobId
from server.jobs.options import JobOptions
from server.store import Store
from tests.store.jobs import create, delete, query, rechain, seen, unlock

BEGINNING = datetime(2026, 3, 2, 8, 0, 0, tzinfo=UTC)
MINUTES = (0, 1, 1, 2, 5, 5, 6, 30, 31, 32, 45, 45, 51, 51, 51, 52, 52, 52, 52, 90, 90, 90)
"""When each event happened, after the beginning."""

CAMERA, DOOR, TYPO = JobId("camera-1"), JobId("door-bell"), JobId("typo")
OPS = Context(actor="10.0.0.7", request_id="req-1001")
CI = Context(actor="10.0.0.9", request_id="ci-77")
RUNNER = Context(actor="runner")


def _engine(pid: int, host: str = "edge-1") -> e.EngineIdentity:
    return e.EngineIdentity(pid, pid * 100, "5c1e3b0e", host, "/var/lib/modelbox/run")


async def tell(store: Store, url: str) -> None:
    """Writes the story, then moves its times to MINUTES and the projection after them."""
    epoch = await store.elect(RUNNER, "edge-1", 812)

    async def runner(job_id: JobId, *events: e.Event) -> None:
        await store.submit_all([seen(event, job_id) for event in events], RUNNER, epoch)

    camera = Graph.of("json", '{"graph": {"format": "graphviz"}}')
    labels = JobOptions(labels={"site": "north", "team": "vision"})
    await store.submit(CreateJob(job_id=CAMERA, graph=camera, options=labels), OPS)
    await runner(CAMERA, e.EngineStarted(attempt=1, engine=_engine(901)), e.EngineReady(attempt=1))
    await store.submit(create(DOOR, Graph.of("toml", '[graph]\nformat = "graphviz"\n')), CI)
    await runner(DOOR, e.EngineStarted(attempt=1, engine=_engine(917)), e.EngineReady(attempt=1))
    retry = BEGINNING + timedelta(minutes=31)
    await runner(
        CAMERA,
        e.EngineExited(
            attempt=1,
            exit_code=None,
            signal=11,
            error="the engine was ended by SIGSEGV",
            failures=1,
            retry_at=retry,
        ),
        e.EngineStarted(attempt=2, engine=_engine(1033)),
        e.EngineReady(attempt=2),
    )
    await store.submit(create(TYPO, Graph.of("json", '{"graph": {}}')), CI)
    await runner(TYPO, e.EngineFailed(attempt=1, error="Not found, can not find flowunit 'resise'", failures=1))
    epoch = await store.elect(RUNNER, "edge-2", 455)
    await runner(CAMERA, e.EngineLost(attempt=2, reason="edge-1 was restarted"))
    await runner(DOOR, e.EngineLost(attempt=1, reason="edge-1 was restarted"))
    await runner(CAMERA, e.EngineStarted(attempt=3, engine=_engine(501, "edge-2")), e.EngineReady(attempt=3))
    await runner(DOOR, e.EngineStarted(attempt=2, engine=_engine(502, "edge-2")), e.EngineReady(attempt=2))
    await store.submit(delete(DOOR), Context(actor="10.0.0.7", request_id="req-1024"))
    await runner(DOOR, e.EngineStopped(attempt=2, reason="the job was deleted"), e.JobDeleted())
    await _move_times(store, url)


async def _move_times(store: Store, url: str) -> None:
    unlock(url)
    head = await store.read_head()
    for position in range(1, head + 1):
        at = BEGINNING + timedelta(minutes=MINUTES[position - 1])
        text = at.isoformat(timespec="microseconds")[:26].replace(":", r"\:")
        query(url, f"UPDATE event SET recorded_at = '{text}Z' WHERE position = {position}")
    rechain(url)
    store.watermark._seen = store.watermark._nothing()  # it knows the log as it was
    await store.rebuild()
