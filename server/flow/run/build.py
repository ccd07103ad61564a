"""From a plan to connected nodes."""

from collections.abc import Callable, Mapping

import msgspec

from server.flow.description import ConditionType, FlowType, OutputType, UnitDescription
from server.flow.plan import NodeKind, Plan, PlanNode
from server.flow.run.batch import BatchNode, ConditionNode
from server.flow.run.collapse import CollapseNode
from server.flow.run.expand import ExpandNode, StreamExpandNode
from server.flow.run.inputs import InputNode
from server.flow.run.load import make_unit
from server.flow.run.loop import LoopNode
from server.flow.run.node import FlowEnder, Node
from server.flow.run.outputs import OutputNode
from server.flow.run.receiving import ReceivingNode
from server.flow.run.scheduler import Scheduler
from server.flow.run.sizes import batch_size, queue_size
from server.flow.run.source import SourceNode
from server.flow.run.stream import StreamNode
from server.flow.status import FlowError, StatusCode, open_words
from server.flow.unitapi import FlowUnit

UnitNode = BatchNode | StreamNode | ExpandNode | SourceNode
UnitMaker = Callable[[], FlowUnit]


def build_nodes(
    plan: Plan,
    scheduler: Scheduler,
    ender: FlowEnder,
    services: object,
    makers: Mapping[str, UnitMaker] | None = None,
) -> dict[str, Node]:
    """The nodes by name, connected, their units made but not opened. `makers`: how units are made whose entry is
    a name that a program chose.

    Raises: FlowError, when a unit cannot be made.
    """
    nodes: dict[str, Node] = {node.name: _node(node, scheduler, ender, makers or {}) for node in plan.nodes}
    for node in plan.nodes:
        made = nodes[node.name]
        made.services = services
        if isinstance(made, ReceivingNode):
            for name in node.inputs:
                made.add_input(name, queue_size(node, name))
    for edge in plan.edges:
        source, target = nodes[edge.source], nodes[edge.target]
        out = next(port for port in source.outputs if port.name == edge.source_port)
        into = next(port for port in target.inputs if port.name == edge.target_port)
        out.targets.append((into, into.edges))
        into.edges += 1
    for made in nodes.values():
        _check_ports(made)
        if isinstance(made, LoopNode):
            made.exit_port = _exit_port(made)
    _introduce(nodes)
    return nodes


def _node(plan: PlanNode, scheduler: Scheduler, ender: FlowEnder, makers: Mapping[str, UnitMaker]) -> Node:
    if plan.kind is not NodeKind.FLOWUNIT or plan.unit is None:
        return _virtual_node(plan, scheduler, ender)
    kind = _node_class(plan.unit, bool(plan.inputs))
    maker = makers.get(plan.unit.entry)
    unit = maker() if maker is not None else _made(plan)
    node = kind(plan, unit, scheduler, ender, batch_size(plan, plan.unit))
    node.prepare()
    return node


def _made(plan: PlanNode) -> FlowUnit:
    """For ModelBox, which loads a unit's code when it opens it, this is a part of that."""
    try:
        return make_unit(plan)
    except FlowError as error:
        assert plan.unit is not None
        raise error.within(open_words(plan.unit.name, plan.device)) from error


class _NoUnit(FlowUnit):
    """Virtual nodes have no unit; this one is opened and closed in its place."""

    quick = True


def _virtual_node(plan: PlanNode, scheduler: Scheduler, ender: FlowEnder) -> InputNode | OutputNode:
    """Spec 2.5, 2.6."""
    described = UnitDescription(
        name=plan.kind, description="", entry="", inputs=plan.inputs, outputs=plan.outputs, exception_visible=True
    )
    plan = msgspec.structs.replace(plan, unit=described)
    kind = InputNode if plan.kind is NodeKind.INPUT else OutputNode
    return kind(plan, _NoUnit(), scheduler, ender, 1)


def _introduce(nodes: Mapping[str, Node]) -> None:
    """Sessions of the input node end at the output node: it says what results there will be."""
    results = [node.plan.inputs for node in nodes.values() if isinstance(node, OutputNode)]
    for node in nodes.values():
        if isinstance(node, InputNode):
            node.result_ports = tuple(name for names in results for name in names)


def _exit_port(loop: LoopNode) -> int:
    """The output that does not lead back to the loop unit."""
    for number, out in enumerate(loop.outputs):
        seen: set[Node] = set()
        waiting = [port.node for port, _ in out.targets]
        while waiting:
            node = waiting.pop()
            if node not in seen:
                seen.add(node)
                waiting.extend(port.node for further in node.outputs for port, _ in further.targets)
        if loop not in seen:
            return number
    words = f"node '{loop.name}': both outputs of the loop unit lead back to it, so nothing can leave the loop"
    raise FlowError(StatusCode.BADCONF, "loop node is illegal, please check graph config.", words)


def _node_class(unit: UnitDescription, has_inputs: bool) -> type[UnitNode]:
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
        return LoopNode
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
