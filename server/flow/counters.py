"""What a flow counts, node by node."""

from typing import TYPE_CHECKING

import msgspec

from server.tally import Durations

if TYPE_CHECKING:
    from server.flow.run.node import Node


class PortCounters(msgspec.Struct, frozen=True):
    """`queued` is None for output ports: what has been sent waits at the next node's input."""

    name: str
    buffers: int
    queued: int | None = None


class HttpCounters(msgspec.Struct, frozen=True):
    """Of a receive unit: how many requests were answered with each status (0: with others than the first 32), how
    long that took from their heads on, and how many are in the flow. Requests that reach no unit, and probes of
    /health, are not counted."""

    statuses: dict[int, int]
    durations: Durations
    in_flight: int


class NodeCounters(msgspec.Struct, frozen=True, kw_only=True):
    """`seconds` is the time in calls of the unit, `durations` the same call by call; `last_activity` is Unix time,
    0 before the first call. `http` is there for receive units. `in_call`: calls of the unit that are under way.
    `is_through`: a source that has begun something, all of which is through. Engines of an older version of this
    program say neither `durations` nor `http`, `in_call` nor `is_through`."""

    node: str
    unit: str
    inputs: tuple[PortCounters, ...]
    outputs: tuple[PortCounters, ...]
    calls: int
    seconds: float
    errors: int
    last_activity: float
    durations: Durations | None = None
    http: HttpCounters | None = None
    in_call: int = 0
    is_through: bool = False


class Stall(msgspec.Struct, frozen=True, kw_only=True):
    """A node that has input and made no progress for `seconds`. `stacks` are those of the threads that are in a
    call of its unit."""

    node: str
    unit: str
    seconds: float
    reason: str
    stacks: tuple[str, ...] = ()


MOST_STALLS = 16
MOST_STACK_CHARS = 16 * 1024
"""Of all stacks together; what each of them has more is left out at its outer end."""


def bounded(stalls: tuple[Stall, ...]) -> tuple[Stall, ...]:
    """The first of `stalls`, with as much of their stacks as may be kept of a flow."""
    found: list[Stall] = []
    room = MOST_STACK_CHARS
    for stall in stalls[:MOST_STALLS]:
        stacks: list[str] = []
        for stack in stall.stacks:
            kept = stack[-room:] if room else ""
            room -= len(kept)
            if kept:
                stacks.append(kept)
        found.append(msgspec.structs.replace(stall, stacks=tuple(stacks)))
    return tuple(found)


def counters_of(node: "Node", http: HttpCounters | None = None, in_call: int = 0) -> NodeCounters:
    return NodeCounters(
        node=node.name,
        unit=node.description.name,
        inputs=tuple(PortCounters(port.name, port.received, port.queued) for port in node.inputs),
        outputs=tuple(PortCounters(port.name, port.sent) for port in node.outputs),
        calls=node.calls,
        seconds=node.seconds,
        errors=node.errors,
        last_activity=node.last_activity,
        durations=node.durations.read(),
        http=http,
        in_call=in_call,
        is_through=node.is_through and http is None,
    )
