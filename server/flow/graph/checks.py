"""Checks of the whole graph: ports, components, loops, topological order (spec 3.1, 3.2, rule 6 of 3.3).

Each check adds what is wrong to the findings and goes on, or raises what leaves nothing to go on with.
"""

import heapq

from server.flow.description import ConditionType, FlowType
from server.flow.graph.draft import Draft, listed
from server.flow.graph.findings import Findings
from server.flow.plan import PlanEdge
from server.flow.settings import shown
from server.flow.status import FlowError, StatusCode

GRAPH_STEP = "invalid graph, please check graph config."
LOOP_STEP = "loop node is illegal, please check graph config."
TOPOLOGY_STEP = "generate topology fail, please check graph config."
LOOP_MEMBERS_STEP = "check loop node fail, please check graph config."


def check_whole(draft: Draft, findings: Findings) -> None:
    """There is a node, every port is linked, and everything hangs together."""
    if not draft.nodes:
        raise FlowError(
            StatusCode.BADCONF,
            GRAPH_STEP,
            "graph is empty, no node.",
            "the DOT text has no node with flowunit=..., type=input or type=output",
        )
    _check_ports(draft, findings)
    if not findings:
        _check_union(draft, findings)


def _check_ports(draft: Draft, findings: Findings) -> None:
    linked_in = {(edge.target, edge.target_port) for edge in draft.edges}
    linked_out = {(edge.source, edge.source_port) for edge in draft.edges}
    for name, node in sorted(draft.nodes.items()):
        for direction, ports, linked in (("in", node.inputs, linked_in), ("out", node.outputs, linked_out)):
            for port in ports:
                if (name, port) not in linked:
                    text = f"{direction} port is not connect. node: {shown(name)} port: {shown(port)}"
                    # a port of an input or output node is a node of the text, with a line of its own
                    owner = port if node.unit is None else name
                    ours = f"{draft.place(owner)}: no edge {'leads to' if direction == 'in' else 'leaves'} it"
                    findings.add(FlowError(StatusCode.BADCONF, GRAPH_STEP, "not all port connect.", text, ours))


def _check_union(draft: Draft, findings: Findings) -> None:
    neighbours: dict[str, set[str]] = {name: set() for name in draft.nodes}
    for edge in draft.edges:
        neighbours[edge.source].add(edge.target)
        neighbours[edge.target].add(edge.source)
    first = min(draft.nodes)
    reached = _reachable(first, neighbours)
    rest = sorted(set(draft.nodes) - reached)
    if rest:
        parts = f"{_part(draft, reached)} with {_part(draft, set(rest))}"
        ours = f"no edge links {parts}: make two flows of them, or link them"
        findings.add(
            FlowError(StatusCode.BADCONF, GRAPH_STEP, "not all node connect.", "not all node union.", ours)
        )


def _part(draft: Draft, names: set[str]) -> str:
    """Some nodes of a part of the graph, the first of the text with its line."""
    first = min(names, key=lambda name: (draft.lines.get(name, 0), name))
    others = sorted(names - {first})
    return draft.place(first) + (f", {listed(others, 5)}" if others else "")


def _reachable(start: str, neighbours: dict[str, set[str]]) -> set[str]:
    reached = {start}
    waiting = [start]
    while waiting:
        for other in neighbours[waiting.pop()]:
            if other not in reached:
                reached.add(other)
                waiting.append(other)
    return reached


def is_loop(draft: Draft, name: str) -> bool:
    unit = draft.nodes[name].unit
    return unit is not None and unit.condition is ConditionType.LOOP


def check_loops(draft: Draft, findings: Findings) -> None:
    """A loop node has one input with two edges, and two outputs, one of which leaves the loop."""
    incoming = draft.incoming()
    for name in sorted(draft.nodes):
        if not is_loop(draft, name):
            continue
        node = draft.nodes[name]
        if len(node.inputs) != 1:
            found = f"the inputs {listed(node.inputs)}"
            findings.add(_illegal_loop(draft, name, "loop node input should be one.", found))
        elif len(node.outputs) != 2:
            found = f"the outputs {listed(node.outputs)}"
            findings.add(_illegal_loop(draft, name, "loop node output shoulde be two.", found))
        elif len(incoming[name]) != 2:
            found = f"{draft.sources(incoming[name])} at its input"
            findings.add(_illegal_loop(draft, name, "loop node can only link 2 edges.", found))
        elif all(_leads_back(draft, name, port) for port in node.outputs):
            ours = f"{draft.place(name)}: both of its outputs lead back to it, so nothing can leave the loop"
            findings.add(FlowError(StatusCode.BADCONF, LOOP_STEP, ours))


def _leads_back(draft: Draft, name: str, port: str) -> bool:
    outgoing = draft.outgoing()
    neighbours = {each: {edge.target for edge in outgoing[each]} for each in draft.nodes}
    begins = {edge.target for edge in outgoing[name] if edge.source_port == port}
    return any(name in _reachable(begin, neighbours) for begin in begins)


def _illegal_loop(draft: Draft, name: str, what: str, found: str) -> FlowError:
    return FlowError(StatusCode.FAULT, LOOP_STEP, what, f"{draft.place(name)} has {found}")


def back_edges(draft: Draft) -> dict[PlanEdge, set[str]]:
    """The edges that lead back to a loop node, each with the nodes of its loop."""
    forward: dict[str, set[str]] = {name: set() for name in draft.nodes}
    backward: dict[str, set[str]] = {name: set() for name in draft.nodes}
    for edge in draft.edges:
        forward[edge.source].add(edge.target)
        backward[edge.target].add(edge.source)
    found: dict[PlanEdge, set[str]] = {}
    incoming = draft.incoming()
    for name in sorted(draft.nodes):
        if is_loop(draft, name):
            after = _reachable(name, forward)
            for edge in incoming[name]:
                if edge.source in after:
                    found[edge] = after & _reachable(edge.source, backward)
    return found


def topological_order(draft: Draft, backward: dict[PlanEdge, set[str]]) -> list[str]:
    """Nodes after all that feed them, by name where that leaves a choice.

    Raises: FlowError, when no node is without inputs, or when there is a cycle without a loop unit.
    """
    missing = dict.fromkeys(draft.nodes, 0)
    for edge in draft.edges:
        if edge not in backward:
            missing[edge.target] += 1
    ready = [name for name, node in draft.nodes.items() if not node.inputs]
    if not ready:
        raise FlowError(
            StatusCode.BADCONF,
            TOPOLOGY_STEP,
            "start node is not exist.",
            "every node has an input: a flow begins with a type=input node or a unit without inputs",
        )
    heapq.heapify(ready)
    outgoing = draft.outgoing()
    order: list[str] = []
    while ready:
        name = heapq.heappop(ready)
        order.append(name)
        for edge in outgoing[name]:
            if edge not in backward:
                missing[edge.target] -= 1
                if missing[edge.target] == 0:
                    heapq.heappush(ready, edge.target)
    if len(order) < len(draft.nodes):
        raise _cycle(draft, {name for name, count in missing.items() if count})
    return order


def _cycle(draft: Draft, left: set[str]) -> FlowError:
    incoming = draft.incoming()
    seen: dict[str, int] = {}
    path: list[str] = []
    name = min(left)
    while name not in seen:
        seen[name] = len(path)
        path.append(name)
        name = min(edge.source for edge in incoming[name] if edge.source in left)
    circle = [*reversed(path[seen[name] :])]
    shown_circle = " -> ".join(shown(each, 60) for each in [*circle[:12], circle[0]])
    return FlowError(
        StatusCode.BADCONF,
        TOPOLOGY_STEP,
        "not all node connect.",
        f"the edges go round in a circle without a loop unit: {shown_circle} (first: {draft.place(circle[0])})",
    )


def check_loop_members(draft: Draft, backward: dict[PlanEdge, set[str]], findings: Findings) -> None:
    """Whatever is on the way back to a loop node is of the normal kind."""
    for edge, members in backward.items():
        for name in sorted(members):
            unit = draft.nodes[name].unit
            if unit is not None and unit.flow_type is FlowType.STREAM:
                findings.add(
                    FlowError(
                        StatusCode.BADCONF,
                        LOOP_MEMBERS_STEP,
                        f"loop node {shown(name)} can not be stream node.",
                        f"{draft.place(name)} is in the loop of '{shown(edge.target)}': its unit must be of the "
                        "normal kind (stream = false)",
                    )
                )
