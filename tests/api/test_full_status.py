"""What is said of a job's state and of its nodes, as functions."""

import platform
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from server.api.full_status import in_force, reason_of, since
from server.api.node_health import ask, nodes_told, without_engine
from server.config import EngineSection
from server.engines.protocol import Counted
from server.flow.counters import NodeCounters, PortCounters, Stall
from server.jobs import events as e
from server.jobs.ids import Digest, JobId, Position
from server.jobs.limits import Limits
from server.jobs.options import JobOptions, RestartPolicy
from server.jobs.state import Job
from server.jobs.words import Actual, Desired, Outcome
from server.wire.full_status import NodeState

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EARLIER, LATER = NOW - timedelta(minutes=1), NOW + timedelta(minutes=1)
EXIT = e.LastExit(attempt=1, at=EARLIER, message="killed")
ELSEWHERE = e.EngineIdentity(1, 2, "boot", "another-machine", "/run")


def job(**more: Any) -> Job:
    values: dict[str, Any] = {
        "job_id": JobId("a-job"),
        "incarnation": 1,
        "version": 1,
        "position": Position(1),
        "graph_digest": Digest("0" * 64),
        "origin": "rest",
        "file_digest": "",
        "created_at": EARLIER,
        "changed_at": NOW,
    }
    return Job(**(values | more))


STALL = e.Stall(since=NOW, nodes=(e.StalledNode(node="x", unit="u", reason="it waits"),))


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({}, "it waits for its next engine"),
        ({"actual": Actual.STARTING, "attempt": 2}, "engine 2 is starting"),
        ({"actual": Actual.READY}, "its flow is up"),
        ({"actual": Actual.READY, "stalled": STALL}, "its flow is up, and stalls: node 'x': it waits"),
        ({"actual": Actual.UNREACHABLE, "attempt": 2}, "engine 2 cannot be asked"),
        ({"retry_at": LATER, "error": "bad", "attempt": 1}, "it waits for its next attempt; engine 1 failed: bad"),
        ({"outcome": Outcome.FAILED, "error": "bad"}, "bad"),
        ({"outcome": Outcome.SUCCEEDED}, "all sources of its flow have ended, and all data is through"),
        ({"desired": Desired.STOPPED}, "it was stopped"),
        ({"desired": Desired.STOPPED, "actual": Actual.READY}, "it is being stopped"),
        ({"desired": Desired.DELETED, "actual": Actual.READY}, "it is being deleted"),
    ],
)
def test_why_a_status_is_what_it_is(state: dict[str, Any], reason: str) -> None:
    assert reason_of(job(**state)) == reason


@pytest.mark.parametrize(
    ("state", "at"),
    [
        ({}, NOW),
        ({"actual": Actual.READY, "ready_at": EARLIER}, EARLIER),
        ({"outcome": Outcome.FAILED, "last_exit": EXIT}, EARLIER),
        ({"retry_at": LATER, "last_exit": EXIT}, EARLIER),
        ({"actual": Actual.STARTING, "last_exit": EXIT}, NOW),
        ({"desired": Desired.STOPPED, "last_exit": EXIT}, NOW),
    ],
)
def test_since_when(state: dict[str, Any], at: datetime) -> None:
    assert since(job(**state)) == at


def test_options_are_completed_with_the_servers_and_told_apart() -> None:
    settings = EngineSection(restart_delay=3.0, stall_after=9.0, limits=Limits(nice=5))
    told = in_force(job(), settings)
    assert (told.restart.delay, told.limits, told.stall_after) == (3.0, Limits(nice=5), 9.0)
    assert told.from_server == ("restart", "limits", "stall_after")
    own = JobOptions(restart=RestartPolicy(attempts=2), stall_after=0.0)
    told = in_force(job(options=own), settings)
    assert (told.restart, told.stall_after, told.from_server) == (own.restart, 0.0, ("limits",))


def node(name: str, queued: int = 0, **more: Any) -> NodeCounters:
    values: dict[str, Any] = {
        "unit": "u",
        "inputs": (PortCounters("in", 5, queued), PortCounters("other", 2, 0)),
        "outputs": (PortCounters("out", 4),),
        "calls": 3,
        "seconds": 0.1,
        "errors": 1,
        "last_activity": EARLIER.timestamp(),
    }
    return NodeCounters(node=name, **(values | more))


def test_the_states_of_nodes() -> None:
    told = nodes_told(
        Counted(
            nodes=(
                node("idle"),
                node("queued", queued=1),
                node("calls", in_call=1),
                node("just-now", last_activity=NOW.timestamp() - 0.5),
                node("never", last_activity=0.0, calls=0),
                node("through", is_through=True),
                node("stalls", queued=1, in_call=1),
            ),
            stalls=(Stall(node="stalls", unit="u", seconds=9.0, reason="it waits"),),
        ),
        NOW,
    )
    assert {one.node: one.state for one in told} == {
        "idle": NodeState.IDLE,
        "queued": NodeState.RUNNING,
        "calls": NodeState.RUNNING,
        "just-now": NodeState.RUNNING,
        "never": NodeState.IDLE,
        "through": NodeState.FINISHED,
        "stalls": NodeState.STALLED,
    }
    first, *_, last = told
    assert (first.buffers_in, first.buffers_out, first.queued, first.errors) == (7, 4, 0, 1)
    assert (first.last_progress, told[4].last_progress, last.reason) == (EARLIER, None, "it waits")


async def test_why_nothing_is_known_of_nodes(tmp_path: Path) -> None:
    there = await ask(job(engine=ELSEWHERE), tmp_path)
    assert there.nodes is None
    assert there.unknown == f"its engine is on another-machine, and this API on {platform.node()}: ask one there"
    here = e.EngineIdentity(1, 2, "boot", platform.node(), "/run")
    alone = await ask(job(engine=here), tmp_path)
    assert alone.unknown == "no runner leads on this machine, or it does not answer"
    assert without_engine(job(), None).unknown == "there is no engine, and no plan of its graph"
