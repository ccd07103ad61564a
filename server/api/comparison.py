"""How two versions of a job differ: a pure function of their plans, sources and options."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from server.flow.plan import Plan, PlanNode
from server.jobs.graph import Graph
from server.jobs.options import JobOptions
from server.wire.versions import Changed, ChangedNode, Edges, Node, Nodes

MOST_LINES = 4000
"""Of both sources together: comparing texts takes a time that grows with their product."""
GRAPH_SETTINGS = ("graph.graphconf",)


def compare_nodes(before: Plan, after: Plan) -> Nodes:
    old, new = ({node.name: _attributes(node) for node in plan.nodes} for plan in (before, after))
    changed = [
        ChangedNode(name=name, attributes=differences)
        for name in old
        if name in new and (differences := compare_maps(old[name], new[name]))
    ]
    return Nodes(
        added=[Node(name=name, attributes=new[name]) for name in new if name not in old],
        removed=[Node(name=name, attributes=old[name]) for name in old if name not in new],
        changed=changed,
    )


def _attributes(node: PlanNode) -> dict[str, str]:
    unit = {} if node.unit is None else {"flowunit": node.unit.name}
    # lists are joined by this character in a plan
    own = {name: value.replace("\x03", ",") for name, value in node.options.items()}
    return {"type": str(node.kind), **unit, "device": node.device, "deviceid": node.device_id, **own}


def compare_edges(before: Plan, after: Plan) -> Edges:
    old, new = (
        [f"{edge.source}:{edge.source_port} -> {edge.target}:{edge.target_port}" for edge in plan.edges]
        for plan in (before, after)
    )
    return Edges(
        added=[edge for edge in new if edge not in old], removed=[edge for edge in old if edge not in new]
    )


def compare_settings(before: Plan, after: Plan) -> dict[str, Changed]:
    differences = compare_maps(before.settings, after.settings)
    return {name: changed for name, changed in differences.items() if name not in GRAPH_SETTINGS}


def compare_options(before: JobOptions, after: JobOptions) -> dict[str, Changed]:
    return compare_maps(dict(_flat(msgspec.to_builtins(before))), dict(_flat(msgspec.to_builtins(after))))


def _flat(options: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in options.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def compare_maps(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Changed]:
    return {
        name: Changed(before=before.get(name), after=after.get(name))
        for name in (*before, *(name for name in after if name not in before))
        if before.get(name) != after.get(name)
    }


def compare_text(before: Graph, after: Graph, names: tuple[str, str]) -> str | None:
    """A unified diff, "" when there is no difference; None when the sources are too long. Takes up to a second."""
    old, new = _lines(before), _lines(after)
    if len(old) + len(new) > MOST_LINES:
        return None
    return "\n".join(difflib.unified_diff(old, new, *names, lineterm=""))


def _lines(graph: Graph) -> list[str]:
    if graph.format != "json":
        return graph.source.splitlines()
    try:
        laid_out = msgspec.json.format(graph.source, indent=2)
    except msgspec.DecodeError:
        return graph.source.splitlines()
    # the graph itself is one string in there
    return laid_out.replace("\\n", "\n").splitlines()
