"""Graphs and unit descriptions for the tests of this folder."""

import json
from collections.abc import Iterable

import pytest

from server.flow.description import ConditionType, FlowType, OutputType, UnitDescription
from server.flow.graph import compile_graph
from server.flow.plan import Plan, PlanNode
from server.flow.status import FlowError


def unit(
    name: str,
    inputs: str = "",
    outputs: str = "",
    *,
    flow_type: FlowType = FlowType.NORMAL,
    output_type: OutputType = OutputType.ORIGIN,
    condition: ConditionType = ConditionType.NONE,
    device: str = "cpu",
    entry: str = "x@X",
) -> UnitDescription:
    """A description; ports are separated by blanks."""
    return UnitDescription(
        name=name,
        device=device,
        description=name,
        entry=entry,
        inputs=tuple(inputs.split()),
        outputs=tuple(outputs.split()),
        flow_type=flow_type,
        output_type=output_type,
        condition=condition,
    )


UNITS = (
    unit("source", "", "o"),
    unit("source2", "", "o1 o2"),
    unit("plain", "i", "o"),
    unit("streamed", "i", "o", flow_type=FlowType.STREAM),
    unit("split", "i", "o1 o2"),
    unit("merge", "i1 i2", "o"),
    unit("sink", "i", ""),
    unit("sink2", "i1 i2", ""),
    unit("select", "i", "x y", condition=ConditionType.IF_ELSE),
    unit("select3", "i", "x y z", condition=ConditionType.IF_ELSE),
    unit("expand", "i", "o", output_type=OutputType.EXPAND),
    unit("collapse", "i", "o", output_type=OutputType.COLLAPSE),
    unit("loop", "i", "again done", condition=ConditionType.LOOP),
    unit("loop_two_inputs", "i1 i2", "again done", condition=ConditionType.LOOP),
    unit("loop_one_output", "i", "done", condition=ConditionType.LOOP),
)


def graph_file(dot: str, **graph: object) -> str:
    """A graph file with this DOT text and further keys of its [graph] table."""
    return json.dumps({"graph": {"format": "graphviz", "graphconf": dot, **graph}})


def nodes_dot(kinds: str, body: str, attributes: str = "") -> str:
    """DOT text: `kinds` declares nodes as `name=unit`, or `name=input` and `name=output`; `body` has the edges."""
    lines = []
    for pair in kinds.split():
        name, _, kind = pair.partition("=")
        key = "type" if kind in ("input", "output") else "flowunit"
        lines.append(f"{name} [{key}={kind}{attributes and ', ' + attributes}]")
    return "\n".join(["digraph g {", *lines, body, "}"])


def compile_dot(dot: str, units: Iterable[UnitDescription] = UNITS, **graph: object) -> Plan:
    return compile_graph(graph_file(dot, **graph), units=units)


def compile_nodes(kinds: str, body: str, **graph: object) -> Plan:
    return compile_dot(nodes_dot(kinds, body), **graph)


def refusal(dot: str, units: Iterable[UnitDescription] = UNITS, **graph: object) -> FlowError:
    """The error that a DOT text is refused with."""
    with pytest.raises(FlowError) as caught:
        compile_dot(dot, units, **graph)
    return caught.value


def node(plan: Plan, name: str) -> PlanNode:
    return next(each for each in plan.nodes if each.name == name)


def edges(plan: Plan) -> list[str]:
    return sorted(f"{e.source}:{e.source_port}->{e.target}:{e.target_port}" for e in plan.edges)
