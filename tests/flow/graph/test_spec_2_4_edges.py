"""Spec 2.4: edges and their ports."""

import pytest

from server.flow.graph.dot_graph import DotGraph, read_dot
from server.flow.status import StatusCode
from tests.flow.graph.helpers import compile_nodes, edges, nodes_dot, refusal


def edge_texts(graph: DotGraph) -> list[str]:
    return [f"{e.source}:{e.source_port}->{e.target}:{e.target_port}" for e in graph.edges]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a:o -> b:i", "a:o->b:i", id="ports"),
        pytest.param("a -> b [tailport=o, headport=i]", "a:o->b:i", id="tailport-and-headport"),
        pytest.param("a:o -> b [headport=i]", "a:o->b:i", id="both-notations"),
        pytest.param("a:x -> b:i [tailport=o]", "a:o->b:i", id="attribute-wins-over-notation"),
        pytest.param("edge [tailport=o]; a -> b:i", "a:o->b:i", id="default-of-edges"),
        pytest.param("edge [tailport=x]; a:o -> b:i", "a:o->b:i", id="notation-wins-over-default"),
        pytest.param('a:"image_out/out_1" -> b:"i:1"', "a:image_out/out_1->b:i:1", id="quoted-ports"),
        pytest.param("a:p:n -> b:i", "a:p:n->b:i", id="compass-part-belongs-to-the-port"),
        pytest.param("a -> b", "a:->b:", id="no-ports"),
        pytest.param("a : o->b : i", "a:o->b:i", id="blanks-around-colons"),
        pytest.param('a:o -> b:i [label=x, color="red"]', "a:o->b:i", id="other-attributes-are-ignored"),
    ],
)
def test_2_4_ports_of_edges(text: str, expected: str) -> None:
    assert edge_texts(read_dot(f"digraph {{ {text} }}")) == [expected]


def test_2_4_lists_of_nodes_as_ends_have_a_port_each() -> None:
    graph = read_dot('digraph { a:o, b -> c:i, "d":j -> {e f} }')
    assert edge_texts(graph) == [
        *("a:o->c:i", "a:o->d:j", "b:->c:i", "b:->d:j"),
        *("c:i->e:", "c:i->f:", "d:j->e:", "d:j->f:"),
    ]


def test_2_4_in_a_chain_the_middle_has_one_port_for_both_edges() -> None:
    assert edge_texts(read_dot("digraph { a:o -> b:p -> c:i }")) == ["a:o->b:p", "b:p->c:i"]


def test_2_4_identical_edges_collapse() -> None:
    plan = compile_nodes("a=source b=sink", "a:o -> b:i; a:o -> b:i; a -> b [tailport=o, headport=i]")
    assert edges(plan) == ["a:o->b:i"]


def test_2_4_fan_out_is_free() -> None:
    plan = compile_nodes("a=source b=sink c=sink", "a:o -> b:i; a:o -> c:i")
    assert edges(plan) == ["a:o->b:i", "a:o->c:i"]


def test_2_4_ports_of_input_and_output_nodes_are_ignored() -> None:
    plan = compile_nodes("a=input b=plain c=output", "a:whatever -> b:i; b:o -> c:whatever:n")
    assert edges(plan) == ["a:a->b:i", "b:o->c:c"]


def test_2_4_a_compass_part_does_not_match() -> None:
    error = refusal(nodes_dot("a=source b=sink", "a:o:n -> b:i"))
    assert error.messages[1] == "flowunit 'source' config error, port not connect correctly."
    assert "config output port [ o:n ] not defined in flowunit (line 4; did you mean 'o'?)" in error.messages[-1]


def test_2_4_the_ports_of_a_node_are_what_its_edges_mention() -> None:
    error = refusal(nodes_dot("a=source b=sink2", "a:o -> b:i1; a:o -> b:i3"))
    assert "node input port: i2 is not connected; config input port [ i3 ] not defined" in error.messages[-1]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param("a -> b:i", "src port is not exist. node: a port: ", id="source"),
        pytest.param("a:o -> b", "dst port is not exist. node: b port: ", id="target"),
    ],
)
def test_2_4_omitting_a_port(body: str, words: str) -> None:
    error = refusal(nodes_dot("a=source b=sink", body))
    assert (error.code, error.messages[2]) == (StatusCode.BADCONF, words)
    assert error.messages[3].startswith("edge in line 4: write the port, as in ")


def test_2_4_fan_in_is_for_joins_and_loops() -> None:
    compile_nodes("s=source a=select d=sink", "s:o -> a:i; a:x -> d:i; a:y -> d:i")
    compile_nodes("s=source l=loop b=plain d=sink", "s:o -> l:i; l:again -> b:i; b:o -> l:i; l:done -> d:i")
    error = refusal(nodes_dot("s=source b=plain c=plain d=sink", "s:o->b:i; s:o->c:i; b:o->d:i; c:o->d:i"))
    assert "One port links multi edges" in str(error)
