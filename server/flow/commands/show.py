"""`flow show`: a compiled graph as text, as DOT, or as a picture."""

import sys
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import partial
from pathlib import Path

from server.flow.commands.built import built
from server.flow.commands.graph_file import read_graph_file
from server.flow.description import ConditionType, OutputType, UnitDescription
from server.flow.picture.arrange import TooLarge
from server.flow.picture.sketch import sketch_of_plan
from server.flow.picture.svg import draw
from server.flow.plan import NodeKind, Plan, PlanNode
from server.flow.run.sizes import batch_size, external_capacity, queue_size
from server.flow.status import FlowError


class Form(StrEnum):
    TEXT = "text"
    DOT = "dot"
    SVG = "svg"


def show(path: Path, args: Mapping[str, str], form: Form) -> int:
    """Prints the graph, with `args` for what it declares under `[args]`.

    Returns: 0, or 2 when it cannot be built.
    """
    try:
        file = read_graph_file(path)
    except FlowError as error:
        print(f"{path}: {error}", file=sys.stderr)
        return 2
    plan = built(file, args, partial(print, file=sys.stderr))
    if plan is None:
        return 2
    if form is Form.SVG:
        return _show_picture(path, plan)
    print("\n".join(dot_lines(plan) if form is Form.DOT else text_lines(plan)))
    return 0


def _show_picture(path: Path, plan: Plan) -> int:
    try:
        print(draw(sketch_of_plan(plan)), end="")
    except TooLarge:
        print(f"{path}: the graph is too large for a picture; --dot shows it to other programs", file=sys.stderr)
        return 2
    return 0


def kind_of(unit: UnitDescription) -> str:
    """`stream`, `normal expand` and so on."""
    words = [unit.flow_type.value]
    if unit.output_type is not OutputType.ORIGIN:
        words.append(unit.output_type.value)
    if unit.condition is ConditionType.IF_ELSE:
        words.append("condition")
    if unit.condition is ConditionType.LOOP:
        words.append("loop")
    return " ".join(words)


def text_lines(plan: Plan) -> Iterator[str]:
    yield f"graph {plan.name or '(no name)'}: {len(plan.nodes)} nodes, {len(plan.edges)} edges"
    for node in plan.nodes:
        yield ""
        yield _head(node)
        if node.name in plan.match and sum(edge.target == node.name for edge in plan.edges) > 1:
            yield f"  inputs are matched at {plan.match[node.name]}"
        for port in node.inputs:
            sources = [
                f"{e.source}:{e.source_port}" for e in plan.edges if _ends_at(e.target, e.target_port, node, port)
            ]
            yield f"  in  {port}  from {', '.join(sources)}  (queue {queue_size(node, port)})"
        for port in node.outputs:
            targets = [
                f"{e.target}:{e.target_port}" for e in plan.edges if _ends_at(e.source, e.source_port, node, port)
            ]
            yield f"  out {port}  to {', '.join(targets)}"


def dot_lines(plan: Plan) -> Iterator[str]:
    """For `dot -Tsvg` and the like: nodes as records with their ports."""
    yield f"digraph {_quoted(plan.name or 'flow')} {{"
    yield "  rankdir=LR"
    yield "  node [shape=record]"
    for node in plan.nodes:
        parts = [_cells("i", node.inputs), _record(f"{node.name}\n{_type(node)}"), _cells("o", node.outputs)]
        label = "|".join(part for part in parts if part)
        yield f'  {_quoted(node.name)} [label="{label}"]'
    ports_in = {node.name: node.inputs for node in plan.nodes}
    ports_out = {node.name: node.outputs for node in plan.nodes}
    for edge in plan.edges:
        source = f"{_quoted(edge.source)}:o{ports_out[edge.source].index(edge.source_port)}"
        target = f"{_quoted(edge.target)}:i{ports_in[edge.target].index(edge.target_port)}"
        yield f"  {source} -> {target}"
    yield "}"


def _head(node: PlanNode) -> str:
    words = [f"{node.name}: {_type(node)}"]
    if node.unit is not None:
        words.append(f"device {node.device}:{node.device_id}")
        words.append(f"batch {batch_size(node, node.unit)}")
    if not node.inputs:
        words.append(f"external queue {external_capacity(node)}")
    return ", ".join(words)


def _type(node: PlanNode) -> str:
    if node.unit is None:
        what = "the input of the graph" if node.kind is NodeKind.INPUT else "the output of the graph"
        return what if node.kind is NodeKind.INPUT else f"{what} ({node.options.get('output_type', 'match')})"
    return f"{node.unit.name} ({kind_of(node.unit)})"


def _ends_at(name: str, port: str, node: PlanNode, wanted: str) -> bool:
    return name == node.name and port == wanted


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _record(text: str) -> str:
    """Text within a record label: what shapes the record is escaped."""
    escaped = "".join(f"\\{mark}" if mark in '\\"{}|<> ' else mark for mark in text)
    return escaped.replace("\n", "\\n")


def _cells(prefix: str, ports: tuple[str, ...]) -> str:
    if not ports:
        return ""
    return "{" + "|".join(f"<{prefix}{number}> {_record(port)}" for number, port in enumerate(ports)) + "}"
