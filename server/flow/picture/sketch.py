"""What a picture of a graph shows: boxes with ports, and arrows between them."""

from collections.abc import Iterable

import msgspec

from server.flow.graph.dot_graph import DotGraph
from server.flow.plan import Plan, PlanNode


class Box(msgspec.Struct, frozen=True):
    """`kind` stands below the name: the unit, or what a node is that has none. `device` may be empty."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    device: str = ""


class Arrow(msgspec.Struct, frozen=True):
    source: str
    source_port: str
    target: str
    target_port: str


class Sketch(msgspec.Struct, frozen=True):
    name: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def sketch_of_plan(plan: Plan) -> Sketch:
    boxes = tuple(Box(node.name, _kind(node), node.inputs, node.outputs, _device(node)) for node in plan.nodes)
    arrows = tuple(Arrow(edge.source, edge.source_port, edge.target, edge.target_port) for edge in plan.edges)
    return Sketch(plan.name, boxes, arrows)


def sketch_of_dot(dot: DotGraph) -> Sketch:
    """Of a graph that has no plan: with the ports that its edges name, whether or not the units have them."""
    arrows = tuple(Arrow(edge.source, edge.source_port, edge.target, edge.target_port) for edge in dot.edges)
    inputs = _ports((arrow.target, arrow.target_port) for arrow in arrows)
    outputs = _ports((arrow.source, arrow.source_port) for arrow in arrows)
    boxes = tuple(
        Box(
            node.name,
            node.attributes.get("flowunit") or node.attributes.get("type", ""),
            inputs.get(node.name, ()),
            outputs.get(node.name, ()),
            node.attributes.get("device", ""),
        )
        for node in dot.nodes.values()
    )
    return Sketch(dot.name, boxes, arrows)


def _kind(node: PlanNode) -> str:
    return node.kind.value if node.unit is None else node.unit.name


def _device(node: PlanNode) -> str:
    return "" if node.unit is None else f"{node.device}:{node.device_id}"


def _ports(ends: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    for node, port in ends:
        found.setdefault(node, {})[port] = None
    return {node: tuple(ports) for node, ports in found.items()}
