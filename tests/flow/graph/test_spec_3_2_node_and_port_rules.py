"""Spec 3.2: node and port rules.

Those of appendix B have their test in test_spec_appendix_b_messages.py: orphan, no type, unknown unit, ports not
linked, bad ends of edges, components, no source, cycle.
"""

import pytest

from server.flow.status import StatusCode
from server.flow.unitapi import Status, UnitStatusCode
from tests.flow.graph.helpers import compile_dot, edges, nodes_dot, refusal
from tests.flow.run.programs import flow_of, line, passes, unit

BUILD = "build graph failed, please check graph config."
GRAPH = "invalid graph, please check graph config."
TOPOLOGY = "generate topology fail, please check graph config."
MISMATCH = "flowunit '{}' config error, port not connect correctly."


@pytest.mark.parametrize(
    ("kinds", "body", "code", "messages", "ours"),
    [
        pytest.param(
            "a=source",
            "b[type=flowunits] a:o->b:i",
            StatusCode.NOTSUPPORT,
            (BUILD, "unsupport node type. name: 'b' type: 'flowunits'"),
            "node 'b' (line 3): the type is one of flowunit, input, output; did you mean 'flowunit'?",
            id="unknown-type",
        ),
        pytest.param(
            "a=source bee=sink",
            "a:o->be:i",
            StatusCode.NOTSUPPORT,
            (BUILD, "unsupport node type. name: 'be' type: ''"),
            "node 'be' (line 4) is not declared with any attribute; did you mean 'bee'?",
            id="misspelt-name",
        ),
        pytest.param(
            "a=source b=sink",
            "a:o->b:i\na:o->b:j",
            StatusCode.BADCONF,
            (BUILD, MISMATCH.format("sink")),
            "node 'b' (line 3): config input port [ j ] not defined in flowunit (line 5; available: 'i'); "
            "the unit has the inputs 'i' and the outputs none",
            id="extra-port",
        ),
        pytest.param(
            "a=source b=merge c=sink",
            "a:o->b:i1\na:o->b:i3; b:o->c:i",
            StatusCode.BADCONF,
            (BUILD, MISMATCH.format("merge")),
            "node 'b' (line 3): node input port: i2 is not connected; "
            "config input port [ i3 ] not defined in flowunit (line 6; did you mean 'i2' or 'i1'?); "
            "the unit has the inputs 'i1', 'i2' and the outputs 'o'",
            id="misspelt-port",
        ),
        pytest.param(
            "a=source b=sink2 c=plain",
            "a:o->b:i1\nb:i2->c:o; c:o->b:i2",
            StatusCode.BADCONF,
            (BUILD, MISMATCH.format("sink2")),
            "node 'b' (line 3): config output port [ i2 ] not defined in flowunit (line 6; the edge begins at the "
            "wrong side); the unit has the inputs 'i1', 'i2' and the outputs none",
            id="edge-that-begins-at-an-input",
        ),
        pytest.param(
            "a=input b=plain c=output",
            "a->b:i; b:o->c; b:o->a",
            StatusCode.BADCONF,
            (BUILD, "add link failed.", "dst port is not exist. node: a port: "),
            "edge in line 5: node 'a' (line 2) is of type=input, so no edge can end there",
            id="edge-to-an-input-node",
        ),
        pytest.param(
            "a=input b=sink c=output",
            "a->b:i; c->b:i",
            StatusCode.BADCONF,
            (BUILD, "add link failed.", "src port is not exist. node: c port: "),
            "edge in line 5: node 'c' (line 4) is of type=output, so no edge can begin there",
            id="edge-from-an-output-node",
        ),
        pytest.param(
            "",
            "",
            StatusCode.BADCONF,
            (GRAPH, "graph is empty, no node."),
            "the DOT text has no node with flowunit=..., type=input or type=output",
            id="empty-graph",
        ),
        pytest.param(
            "a=input b=input c=sink",
            "a->c:i",
            StatusCode.BADCONF,
            (GRAPH, "not all port connect.", "out port is not connect. node: a port: b"),
            "node 'b' (line 3): no edge leaves it",
            id="input-node-without-edge",
        ),
        pytest.param(
            "a=source b=output c=output",
            "a:o->c",
            StatusCode.BADCONF,
            (GRAPH, "not all port connect.", "in port is not connect. node: b port: b"),
            "node 'b' (line 3): no edge leads to it",
            id="output-node-without-edge",
        ),
        pytest.param(
            "s=source a=merge c=sink",
            "s:o->a:i1; a:o->a:i2; a:o->c:i",
            StatusCode.BADCONF,
            (TOPOLOGY, "not all node connect."),
            "the edges go round in a circle without a loop unit: a -> a (first: node 'a' (line 3))",
            id="cycle-of-one-node",
        ),
    ],
)
def test_3_2_refusals(kinds: str, body: str, code: StatusCode, messages: tuple[str, ...], ours: str) -> None:
    error = refusal(nodes_dot(kinds, body))
    assert (error.code, error.messages) == (code, (*messages, ours))


def test_3_2_open_error() -> None:
    def opened(config: object) -> Status:
        return Status(UnitStatusCode.STATUS_BADCONF, "no size")

    text = flow_of(line("u"), [unit("u", passes, opened=opened)]).build().wrap_errormsgs()
    assert text == f"Bad config, {BUILD} -> open flowunit 'u', type 'cpu' failed. -> no size"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("digraph { a[flowunit=source] b[flowunit=sink] c[flowunit=sink] a:o->b:i }", id="orphan"),
        pytest.param(
            "digraph { a[flowunit=source] b[flowunit=sink] c[flowunit=nosuch] a:o->b:i }", id="orphan-unknown"
        ),
        pytest.param("digraph { a[flowunit=source] b[flowunit=sink] c a:o->b:i }", id="no-type"),
        pytest.param("digraph { a[flowunit=source] b[flowunit=sink] c[type=x] a:o->b:i }", id="unknown-type"),
    ],
)
@pytest.mark.parametrize("strict", [False, "false", 0])
def test_3_2_strict_false_leaves_nodes_out(text: str, strict: object) -> None:
    plan = compile_dot(text, strict=strict)
    assert edges(plan) == ["a:o->b:i"]
    assert len(plan.nodes) == 2


def test_3_2_strict_false_edges_to_left_out_nodes_fail() -> None:
    error = refusal("digraph { a[flowunit=source] a:o->b:i }", strict=False)
    assert error.messages[1:3] == ("add link failed.", "dst port is not exist. node: b port: i")
    assert (
        error.messages[3] == "edge in line 1: node 'b' (line 1) is left out of the graph (graph.strict is false)"
    )


@pytest.mark.parametrize(
    "dot",
    [
        pytest.param("digraph { a[flowunit=source] b[flowunit=sink] a:o->b:i }", id="no-type-and-no-device"),
        pytest.param("graph { a[flowunit=source] b[flowunit=sink] a:o--b:i }", id="undirected"),
        pytest.param(
            "digraph { a[flowunit=source] a[device=cpu] b[flowunit=sink] a:o->b:i }", id="node-declared-twice"
        ),
        pytest.param(
            "digraph { a[flowunit=source, max_requests=abc, nonsense=1] b[flowunit=sink] a:o->b:i }", id="options"
        ),
    ],
)
def test_3_2_accepted_though_odd(dot: str) -> None:
    assert len(compile_dot(dot).nodes) == 2


def test_long_names_do_not_make_long_messages() -> None:
    error = refusal("digraph { a[flowunit=source] " + "b" * 100_000 + " }")
    assert len(str(error)) < 2_000
