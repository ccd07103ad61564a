"""How busy a flow is, in the words of ModelBox's statistics (spec 9: `scheduler.status`)."""

from collections.abc import Collection
from enum import StrEnum
from time import time

from server.flow.counters import Stall
from server.flow.run.node import Node
from server.flow.run.scheduler import Scheduler

IDLE_SECONDS = 1.0
"""A flow without work counts as running for so long after its last call."""


class SchedulerStatus(StrEnum):
    INITIAL = "initial"
    RUNNING = "running"
    IDLE = "idle"
    BLOCKING = "blocking"
    SHUTDOWN = "shutdown"


def status_of(nodes: Collection[Node], scheduler: Scheduler, stalls: Collection[Stall]) -> SchedulerStatus:
    """Of a flow that runs. BLOCKING: everybody who has something to do stalls. Takes no lock: what it reads may be
    a moment old."""
    in_call = {call.node_name for call in scheduler.calls()}
    busy = {node.name for node in nodes if node.name in in_call or any(port.queued > 0 for port in node.inputs)}
    if busy and busy <= {stall.node for stall in stalls}:
        return SchedulerStatus.BLOCKING
    if busy or time() - max((node.last_activity for node in nodes), default=0.0) < IDLE_SECONDS:
        return SchedulerStatus.RUNNING
    return SchedulerStatus.IDLE
