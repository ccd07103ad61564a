"""From a plan to connected nodes."""

from server.flow.description import ConditionType, FlowType, OutputType, UnitDescription
from server.flow.plan import NodeKind, Plan, PlanNode
from server.flow.run.batch import BatchNode, ConditionNode, ExpandNode
from server.flow.run.collapse import CollapseNode
from server.flow.run.load import make_unit
from server.flow.run.node import FlowEnder, Node
from server.flow.run.ports import InPort
from server.flow.run.scheduler import Scheduler
from server.flow.run.sizes import batch_size, queue_size
from server.flow.run.source import SourceNode
from server.flow.run.stream import StreamNode
from server.flow.run.stream_expand import StreamExpandNode
from server.flow.status import FlowError, StatusCode

AnyNode = BatchNode | StreamNode


def build_nodes(plan: Plan, scheduler: Scheduler, ender: FlowEnder, services: object) -> dict[str, Node]:
    """The nodes by name, connected, their units made but not opened.

    Raises: FlowError, when a unit cannot be made or a node needs what the scheduler does not do.
    """
    nodes: dict[str, Node] = {node.name: _node(node, scheduler, ender) for node in plan.nodes}
    for node in plan.nodes:
        nodes[node.name].services = services
        for number, name in enumerate(node.inputs):
            nodes[node.name].add_input(InPort(nodes[node.name], number, name, queue_size(node, name)))
    for edge in plan.edges:
        source, target = nodes[edge.source], nodes[edge.target]
        out = next(port for port in source.outputs if port.name == edge.source_port)
        into = next(port for port in target.inputs if port.name == edge.target_port)
        out.targets.append((into, into.edges))
        into.edges += 1
    for made in nodes.values():
        _check_ports(made)
    return nodes


def _node(plan: PlanNode, scheduler: Scheduler, ender: FlowEnder) -> Node:
    if plan.kind is not NodeKind.FLOWUNIT or plan.unit is None:
        words = f"node '{plan.name}': type={plan.kind} is for flows that a program drives, which cannot be run yet"
        raise FlowError(StatusCode.NOTSUPPORT, words)
    kind = _node_class(plan.name, plan.unit, bool(plan.inputs))
    unit = make_unit(plan)
    node = kind(plan, unit, scheduler, ender, batch_size(plan, plan.unit))
    node.prepare()
    return node


def _node_class(name: str, unit: UnitDescription, has_inputs: bool) -> type[AnyNode]:
    """Expand and collapse cancel condition and loop; condition makes a unit normal (spec 4.4)."""
    if not has_inputs:
        return SourceNode
    if unit.output_type is OutputType.EXPAND:
        return ExpandNode if unit.flow_type is FlowType.NORMAL else StreamExpandNode
    if unit.output_type is OutputType.COLLAPSE:
        return CollapseNode
    if unit.condition is ConditionType.IF_ELSE:
        return ConditionNode
    if unit.condition is ConditionType.LOOP:
        raise FlowError(StatusCode.NOTSUPPORT, f"node '{name}': loop units ('{unit.name}') cannot be run yet")
    return BatchNode if unit.flow_type is FlowType.NORMAL else StreamNode


def _check_ports(node: Node) -> None:
    for out in node.outputs:
        if not out.targets:
            words = f"out port is not connect. node: {node.name} port: {out.name}"
            raise FlowError(StatusCode.BADCONF, "not all port connect.", words)
    for port in node.inputs:
        if not port.edges:
            words = f"in port is not connect. node: {node.name} port: {port.name}"
            raise FlowError(StatusCode.BADCONF, "not all port connect.", words)
