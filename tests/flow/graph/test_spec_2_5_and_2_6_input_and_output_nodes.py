"""Spec 2.5 and 2.6: all input nodes are one node, and all output nodes another.

How `match` and `unmatch` deliver what arrives is in tests/flow/run/test_spec_4_12_sessions.py.
"""

from server.flow.plan import NodeKind
from server.flow.run.sizes import external_capacity
from server.flow.unitapi import DataContext
from tests.flow.graph.helpers import compile_dot, edges, node, refusal
from tests.flow.run.programs import push, received, running, sent, texts, unit


def test_2_5_input_nodes_are_one_node_named_after_the_first() -> None:
    inputs = "z[type=input, x=2] b[type=input, x=1, queue_size_external=7]"
    plan = compile_dot(f"digraph {{ {inputs} u[flowunit=sink2] z -> u:i1; b -> u:i2 }}")
    found = node(plan, "b")
    assert (found.kind, found.outputs, found.inputs) == (NodeKind.INPUT, ("b", "z"), ())
    assert found.options == {"type": "input", "x": "1", "queue_size_external": "7"}
    assert edges(plan) == ["b:b->u:i2", "b:z->u:i1"]
    assert len(plan.nodes) == 2


def test_2_6_output_nodes_are_one_node_named_after_the_first() -> None:
    outputs = "z[type=output] b[type=output, output_type=unmatch, device=cpu]"
    plan = compile_dot(f"digraph {{ a[flowunit=source2] {outputs} a:o1 -> z; a:o2 -> b }}")
    found = node(plan, "b")
    assert (found.kind, found.inputs, found.outputs) == (NodeKind.OUTPUT, ("b", "z"), ())
    assert found.options["output_type"] == "unmatch"
    assert edges(plan) == ["a:o1->b:z", "a:o2->b:b"]


def test_2_5_queue_size_external_is_that_of_the_first() -> None:
    inputs = "z[type=input, queue_size_external=3] b[type=input, queue_size_external=7]"
    plan = compile_dot(f"digraph {{ {inputs} u[flowunit=sink2] z -> u:i1; b -> u:i2 }}")
    assert external_capacity(node(plan, "b")) == 7


def test_2_5_inputs_are_matched_by_position() -> None:
    def both(context: DataContext) -> object:
        return push(
            context, *("".join(pair) for pair in zip(texts(context, "l"), texts(context, "r"), strict=True))
        )

    dot = """l[type=input]; r[type=input]; out[type=output]; join[flowunit=join]
      l -> join:l; r -> join:r; join:out_1 -> out"""
    with running(dot, unit("join", both, normal=True, inputs=("l", "r"))) as flow:
        io = sent(flow, "a", "b", "c", port="l", close=False)
        for text in "xyz":
            assert io.send("r", text)
        io.close_input()
        assert received(io) == ["ax", "by", "cz"]


def test_2_6_output_type_is_that_of_the_first() -> None:
    text = "digraph {{ a[flowunit=source] e[flowunit=expand] x[{}] y[{}] a:o->e:i; a:o->x; e:o->y }}"
    unmatch, match = "type=output, output_type=unmatch", "type=output"
    assert len(compile_dot(text.format(unmatch, match)).nodes) == 3
    assert "different level links" in str(refusal(text.format(match, unmatch)))


def test_2_6_device_cpu() -> None:
    """There is no other device here whose results would have to be copied."""
    text = "digraph { a[flowunit=source] x[type=output, device=cpu] a:o -> x }"
    assert node(compile_dot(text), "x").options["device"] == "cpu"
