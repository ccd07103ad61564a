"""Spec 2.3: attributes of the graph that are defaults of its nodes."""

import pytest

from tests.flow.graph.helpers import compile_dot, node


def dot(attributes: str = "", graph: str = "") -> str:
    return f"digraph g {{ {graph} a[flowunit=source] b[flowunit=sink {attributes}] a:o -> b:i }}"


@pytest.mark.parametrize("text", ["queue_size=64", "graph [queue_size=64]"])
def test_2_3_graph_attributes_are_defaults(text: str) -> None:
    plan = compile_dot(dot(", queue_size=5", graph=text))
    assert [node(plan, name).options["queue_size"] for name in "ab"] == ["64", "5"]


def test_2_3_exactly_four_keys_are_inherited() -> None:
    keys = "batch_size=1 queue_size=2 deviceid=0 need_check_output=true device=cpu timeout=5 queue_size_external=7"
    options = node(
        compile_dot(dot(", device=cpu, x=1", graph=f"node [device=cpu] {keys.replace(' ', ';')};")), "b"
    )
    assert options.options == {
        "flowunit": "sink",
        "device": "cpu",
        "x": "1",
        "batch_size": "1",
        "queue_size": "2",
        "deviceid": "0",
        "need_check_output": "true",
    }


def test_2_3_input_and_output_nodes_inherit_nothing() -> None:
    plan = compile_dot(
        "digraph { queue_size=3; i[type=input] u[flowunit=plain] o[type=output] i -> u:i; u:o -> o }"
    )
    assert [("queue_size" in node(plan, name).options) for name in "iuo"] == [False, True, False]
