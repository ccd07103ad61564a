"""How the nodes of a job's flow stand: from its engine while there is one, else from its end."""

import platform
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from server.engines.protocol import Counted
from server.flow.counters import NodeCounters
from server.flow.examine.places import spot_of
from server.flow.plan import plan_from_json
from server.jobs.graph import Graph
from server.jobs.state import Job
from server.jobs.words import Outcome
from server.metrics.link import NoAnswer, ask_engine
from server.wire.full_status import NodeHealth, NodeState

ASK_SECONDS = 1.5
"""How long the runner may take; it waits a second for the engine."""
ACTIVE_SECONDS = 1.0
"""A node without work counts as running for so long after its last call."""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """`nodes` is None when nothing is known of them, and `unknown` says why. `flow` is the word of its engine."""

    flow: str | None = None
    nodes: tuple[NodeHealth, ...] | None = None
    unknown: str | None = None


NOTHING_KNOWN = Health()


async def ask(job: Job, state_dir: Path) -> Health:
    """What the job's engine says now, of a job that has one. Within two seconds."""
    assert job.engine is not None
    here = platform.node()
    if job.engine.host != here:
        return Health(unknown=f"its engine is on {job.engine.host}, and this API on {here}: ask one there")
    try:
        told = await ask_engine(state_dir, job.job_id, ASK_SECONDS)
    except NoAnswer:
        return Health(unknown="no runner leads on this machine, or it does not answer")
    if told is None or (told.incarnation, told.attempt) != (job.incarnation, job.attempt):
        return Health(unknown="its engine has just been replaced, or has ended")
    if told.counted is None:
        return Health(unknown="its engine did not answer within a second")
    return Health(flow=told.counted.status, nodes=nodes_told(told.counted, datetime.now(UTC)))


def nodes_told(counted: Counted, now: datetime) -> tuple[NodeHealth, ...]:
    reasons = {stall.node: stall.reason for stall in counted.stalls}
    return tuple(_node(node, reasons.get(node.node), now) for node in counted.nodes)


def _node(node: NodeCounters, stalls: str | None, now: datetime) -> NodeHealth:
    return NodeHealth(
        node=node.node,
        unit=node.unit,
        state=NodeState.STALLED if stalls is not None else _state(node, now),
        reason=stalls or "",
        buffers_in=sum(port.buffers for port in node.inputs),
        buffers_out=sum(port.buffers for port in node.outputs),
        queued=_queued(node),
        calls=node.calls,
        in_call=node.in_call,
        errors=node.errors,
        last_progress=datetime.fromtimestamp(node.last_activity, UTC) if node.last_activity else None,
    )


def _state(node: NodeCounters, now: datetime) -> NodeState:
    if node.in_call or _queued(node) or (node.http is not None and node.http.in_flight):
        return NodeState.RUNNING
    if node.is_through:
        return NodeState.FINISHED
    is_active = now.timestamp() - node.last_activity < ACTIVE_SECONDS
    return NodeState.RUNNING if is_active else NodeState.IDLE


def _queued(node: NodeCounters) -> int:
    return sum(port.queued or 0 for port in node.inputs)


def without_engine(job: Job, graph: Graph | None) -> Health:
    """How the nodes of a job without an engine were left, as far as its state and its plan tell."""
    plan = None if graph is None or graph.plan is None else plan_from_json(graph.plan)
    failed = spot_of(job.error).node if job.error else None
    others = NodeState.FINISHED if job.outcome is Outcome.SUCCEEDED else NodeState.IDLE
    if plan is None:
        if not failed:
            return Health(unknown="there is no engine, and no plan of its graph")
        return Health(nodes=(NodeHealth(node=failed, unit="", state=NodeState.FAILED, reason=job.error),))
    return Health(
        nodes=tuple(
            NodeHealth(
                node=node.name,
                unit=node.unit.name if node.unit is not None else "",
                state=NodeState.FAILED if node.name == failed else others,
                reason=job.error if node.name == failed else "",
            )
            for node in plan.nodes
        )
    )
