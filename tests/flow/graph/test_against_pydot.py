"""Where pydot reads whole texts rightly, reading them by forms gives the same nodes and edges."""

import warnings
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from server.flow.graph.dot_graph import read_dot

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from pydot.dot_parser import GraphParser

Attributes = dict[str, str]

NAMES = st.sampled_from(["a", "b", "c1", '"d e"', '"x->y"', '"q;{"', "nodes", "_", "7"])
PORTS = st.sampled_from(["", ":o", ':"p/1"', ": i"])
KEYS = st.sampled_from(["k", "type", "flowunit", '"k k"', "batch_size"])
VALUES = st.sampled_from(["v", "1", "-0.5", '"v, w"', '""', '"a//b"', '"x" + "y"'])
PAIRS = st.tuples(KEYS, VALUES, st.sampled_from([", ", " ", "\n"])).map(lambda p: f"{p[0]} = {p[1]}{p[2]}")
LISTS = st.lists(st.lists(PAIRS, max_size=3).map(lambda pairs: f"[{''.join(pairs)}]"), max_size=2).map(" ".join)
NODES = st.tuples(NAMES, LISTS).map(" ".join)
ENDS = st.tuples(NAMES, PORTS).map("".join)
EDGES = st.tuples(st.lists(ENDS, min_size=2, max_size=3).map(" -> ".join), LISTS).map(" ".join)
FLAT = NODES | EDGES | st.tuples(KEYS, VALUES).map(" = ".join)


def bodies(statements: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    inner = st.lists(statements, max_size=4).map("; ".join)
    return inner.map(lambda text: f"subgraph {{ {text} }}") | inner.map(lambda text: f"{{ {text} }}")


TEXTS = st.lists(FLAT | bodies(FLAT | bodies(FLAT)), max_size=6).map(
    lambda parts: "digraph g { " + "\n".join(parts) + " }"
)


def unquoted(text: str) -> str:
    return text[1:-1] if text.startswith('"') else text


def parts(end: str) -> list[str]:
    """pydot's text for a node with ports; none of the NAMES and PORTS has a colon."""
    return [unquoted(part) for part in end.split(":")]


def by_pydot(text: str) -> tuple[dict[str, Attributes], list[list[str]]]:
    nodes: dict[str, Attributes] = {}
    edges: list[list[str]] = []

    def visit(graph: dict[str, Any]) -> None:
        members = [("node", each) for same in graph["nodes"].values() for each in same]
        members += [("edge", each) for same in graph["edges"].values() for each in same]
        members += [("graph", each) for same in graph["subgraphs"].values() for each in same]
        for kind, each in sorted(members, key=lambda member: int(member[1]["sequence"])):
            if kind == "graph":
                visit(each)
            elif kind == "node":
                found = {unquoted(key): unquoted(value) for key, value in each["attributes"].items()}
                nodes.setdefault(unquoted(each["name"]), {}).update(found)
            else:
                ends = [parts(point) for point in each["points"]]
                for end in ends:
                    nodes.setdefault(end[0], {})
                edges.append([text for end in ends for text in (end[0], "".join(end[1:]))])

    (graph,) = GraphParser.parser.parse_string(text, parse_all=True)
    visit(graph.obj_dict)
    return nodes, edges


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_the_same_nodes_and_edges(text: str) -> None:
    graph = read_dot(text)
    nodes, edges = by_pydot(text)
    assert {name: node.attributes for name, node in graph.nodes.items()} == nodes
    assert [[e.source, e.source_port, e.target, e.target_port] for e in graph.edges] == edges
