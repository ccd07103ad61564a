"""Spec 3.1 (steps and their messages), 3.2 (node and port rules) and appendix B (catalogue of messages)."""

import json

import pytest

from server.flow.graph import compile_graph, examine_graph
from server.flow.status import FlowError, StatusCode
from tests.flow.graph.helpers import UNITS, compile_dot, edges, graph_file, nodes_dot, refusal

BUILD = "build graph failed, please check graph config."
GRAPH = "invalid graph, please check graph config."
LOOP = "loop node is illegal, please check graph config."
TOPOLOGY = "generate topology fail, please check graph config."
MEMBERS = "check loop node fail, please check graph config."
ORPHAN = "orphan node: '{}', use graph.strict=false to disable orphan check"
MISMATCH = "flowunit '{}' config error, port not connect correctly."
NO_UNIT = (
    "can not find flowunit [type: {}, name:{}], Please check if the 'device' configured correctly "
    "or if the flowunit library exists."
)


@pytest.mark.parametrize(
    ("kinds", "body", "code", "messages"),
    [
        pytest.param(
            "a=source b=sink c=sink", "a:o->b:i", StatusCode.BADCONF, (BUILD, ORPHAN.format("c")), id="B-orphan"
        ),
        pytest.param(
            "a=source",
            "a:o->b:i",
            StatusCode.NOTSUPPORT,
            (BUILD, "unsupport node type. name: 'b' type: ''"),
            id="B-no-type",
        ),
        pytest.param(
            "a=source",
            "b[type=x] a:o->b:i",
            StatusCode.NOTSUPPORT,
            (BUILD, "unsupport node type. name: 'b' type: 'x'"),
            id="3.2-unknown-type",
        ),
        pytest.param(
            "a=source",
            "b[type=flowunit] a:o->b:i",
            StatusCode.INVALID,
            (BUILD, "node b: flowunit name is empty."),
            id="B-no-flowunit",
        ),
        pytest.param(
            "a=source b=nosuch",
            "a:o->b:i",
            StatusCode.NOTFOUND,
            (BUILD, "create flowunit 'nosuch' failed.", NO_UNIT.format("", "nosuch")),
            id="B-unknown-unit",
        ),
        pytest.param(
            "a=source b=sink2",
            "a:o->b:i1",
            StatusCode.BADCONF,
            (BUILD, MISMATCH.format("sink2")),
            id="B-ports-missing",
        ),
        pytest.param(
            "a=source b=sink",
            "a:o->b:i; a:o->b:j",
            StatusCode.BADCONF,
            (BUILD, MISMATCH.format("sink")),
            id="B-ports-extra",
        ),
        pytest.param(
            "a=source b=sink",
            "a->b:i",
            StatusCode.BADCONF,
            (BUILD, "add link failed.", "src port is not exist. node: a port: "),
            id="B-bad-source-port",
        ),
        pytest.param(
            "a=source b=sink",
            "a:o->b",
            StatusCode.BADCONF,
            (BUILD, "add link failed.", "dst port is not exist. node: b port: "),
            id="B-bad-target-port",
        ),
        pytest.param(
            "a=input b=plain c=output",
            "a->b:i; b:o->c; b:o->a",
            StatusCode.BADCONF,
            (BUILD, "add link failed.", "dst port is not exist. node: a port: "),
            id="3.2-edge-to-an-input-node",
        ),
        pytest.param(
            "a=input b=sink c=output",
            "a->b:i; c->b:i",
            StatusCode.BADCONF,
            (BUILD, "add link failed.", "src port is not exist. node: c port: "),
            id="3.2-edge-from-an-output-node",
        ),
        pytest.param("", "", StatusCode.BADCONF, (GRAPH, "graph is empty, no node."), id="3.2-empty-graph"),
        pytest.param(
            "a=source b=sink c=source d=sink",
            "a:o->b:i; c:o->d:i",
            StatusCode.BADCONF,
            (GRAPH, "not all node connect.", "not all node union."),
            id="B-several-components",
        ),
        pytest.param(
            "a=input b=input c=sink",
            "a->c:i",
            StatusCode.BADCONF,
            (GRAPH, "not all port connect.", "out port is not connect. node: a port: b"),
            id="3.2-input-node-without-edge",
        ),
        pytest.param(
            "a=source b=output c=output",
            "a:o->c",
            StatusCode.BADCONF,
            (GRAPH, "not all port connect.", "in port is not connect. node: b port: b"),
            id="3.2-output-node-without-edge",
        ),
        pytest.param(
            "a=plain b=plain",
            "a:o->b:i; b:o->a:i",
            StatusCode.BADCONF,
            (TOPOLOGY, "start node is not exist."),
            id="B-no-source",
        ),
        pytest.param(
            "s=source a=merge b=plain",
            "s:o->a:i1; b:o->a:i2; a:o->b:i",
            StatusCode.BADCONF,
            (TOPOLOGY, "not all node connect."),
            id="B-cycle",
        ),
        pytest.param(
            "s=source a=merge c=sink",
            "s:o->a:i1; a:o->a:i2; a:o->c:i",
            StatusCode.BADCONF,
            (TOPOLOGY, "not all node connect."),
            id="3.2-cycle-of-one-node",
        ),
        pytest.param(
            "s=source l=loop_two_inputs c=sink",
            "s:o->l:i1; l:again->l:i2; l:done->c:i",
            StatusCode.FAULT,
            (LOOP, "loop node input should be one."),
            id="3.3-6-loop-inputs",
        ),
        pytest.param(
            "s=source l=loop_one_output c=sink",
            "s:o->l:i; l:done->c:i",
            StatusCode.FAULT,
            (LOOP, "loop node output shoulde be two."),
            id="3.3-6-loop-outputs",
        ),
        pytest.param(
            "s=source l=loop b=sink c=sink",
            "s:o->l:i; l:again->b:i; l:done->c:i",
            StatusCode.FAULT,
            (LOOP, "loop node can only link 2 edges."),
            id="3.3-6-loop-edges",
        ),
        pytest.param(
            "s=source l=loop b=streamed c=sink",
            "s:o->l:i; l:again->b:i; b:o->l:i; l:done->c:i",
            StatusCode.BADCONF,
            (MEMBERS, "loop node b can not be stream node."),
            id="3.3-6-loop-member-of-stream-kind",
        ),
    ],
)
def test_refusals(kinds: str, body: str, code: StatusCode, messages: tuple[str, ...]) -> None:
    error = refusal(nodes_dot(kinds, body))
    assert error.code is code
    assert error.messages[: len(messages)] == messages
    assert len(error.messages) == len(messages) + 1, "ModelBox's words, then ours"


def test_the_text_is_the_chain_of_the_rest_api() -> None:
    source = graph_file("digraph { x[flowunit=X, device=cpu] y[flowunit=sink] x:o->y:i }")
    with pytest.raises(FlowError) as caught:
        compile_graph(source, units=UNITS)
    assert str(caught.value).startswith(
        "Not found, build graph failed, please check graph config. -> create flowunit 'X' failed. -> "
        + NO_UNIT.format("cpu", "X")
    )


def test_a_loop_is_accepted() -> None:
    text = nodes_dot("s=source l=loop b=plain c=sink", "s:o->l:i; l:again->b:i; b:o->l:i; l:done->c:i")
    plan = compile_dot(text)
    assert [each.name for each in plan.nodes] == ["s", "l", "b", "c"]


def test_a_loop_onto_itself_is_accepted() -> None:
    compile_dot(nodes_dot("s=source l=loop c=sink", "s:o->l:i; l:again->l:i; l:done->c:i"))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("digraph { a[flowunit=source] b[flowunit=sink] c[flowunit=sink] a:o->b:i }", id="3.2-orphan"),
        pytest.param(
            "digraph { a[flowunit=source] b[flowunit=sink] c[flowunit=nosuch] a:o->b:i }", id="3.2-orphan-unknown"
        ),
        pytest.param("digraph { a[flowunit=source] b[flowunit=sink] c a:o->b:i }", id="3.2-no-type"),
        pytest.param("digraph { a[flowunit=source] b[flowunit=sink] c[type=x] a:o->b:i }", id="3.2-unknown-type"),
    ],
)
@pytest.mark.parametrize("strict", [False, "false", 0])
def test_strict_false_leaves_nodes_out(text: str, strict: object) -> None:
    plan = compile_dot(text, strict=strict)
    assert edges(plan) == ["a:o->b:i"]
    assert len(plan.nodes) == 2


def test_3_2_strict_false_edges_to_left_out_nodes_fail() -> None:
    error = refusal("digraph { a[flowunit=source] a:o->b:i }", strict=False)
    assert error.messages[1:3] == ("add link failed.", "dst port is not exist. node: b port: i")


def test_strict_that_does_not_convert_is_true() -> None:
    assert "orphan node" in str(refusal("digraph { a[flowunit=source] }", strict="no"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("a[flowunit=sorce] b[flowunit=sink]\na:o->b:i", "did you mean 'source'", id="unit"),
        pytest.param(
            "a[flowunit=source]\nb[flowunit=merge] c[flowunit=sink]\na:o->b:i1\na:o->b:i3\nb:o->c:i",
            "node 'b' (line 2): node input port: i2 is not connected; config input port [ i3 ] not defined in "
            "flowunit (line 4; did you mean 'i2' or 'i1'?); "
            "the unit has the inputs 'i1', 'i2' and the outputs 'o'",
            id="port",
        ),
        pytest.param(
            "a[flowunit=source] bee[flowunit=sink]\na:o->be:i", "node 'be' (line 2) is not declared", id="node"
        ),
        pytest.param("a[flowunit=source] bee[flowunit=sink]\na:o->be:i", "did you mean 'bee'?", id="node-name"),
        pytest.param("a[type=flowunits]", "did you mean 'flowunit'?", id="type"),
        pytest.param(
            "a[flowunit=source]\nb[flowunit=sink]\n\na->b:i",
            "edge in line 4: write the port, as in a:o",
            id="no-port",
        ),
        pytest.param(
            "s[flowunit=source] a[flowunit=merge] b[flowunit=plain]\ns:o->a:i1; b:o->a:i2; a:o->b:i",
            "in a circle without a loop unit: b -> a -> b",
            id="cycle",
        ),
        pytest.param(
            "a[flowunit=source]; c[flowunit=source] d[flowunit=sink] b[flowunit=sink] a:o->b:i c:o->d:i",
            "no edge links node 'a' (line 1), 'b' with node 'c' (line 1), 'd'",
            id="components",
        ),
    ],
)
def test_our_words_name_the_place_and_the_remedy(text: str, words: str) -> None:
    assert words in refusal(f"digraph {{ {text} }}").messages[-1]


def test_3_1_steps_come_in_their_order() -> None:
    """A text with a mistake for each step is refused by the first step that has one."""
    mistakes = [
        ("x[type=flowunit] x:o->b:i", "build graph failed"),
        ("o[type=output]", "invalid graph"),
        ("l[flowunit=loop_one_output] a:o->l:i l:done->s:i s[flowunit=sink]", "loop node is illegal"),
        ("m[flowunit=merge] n[flowunit=plain] a:o->m:i1 n:o->m:i2 m:o->n:i", "generate topology fail"),
        ("k[flowunit=collapse] t[flowunit=sink] a:o->k:i k:o->t:i", "check graph failed"),
    ]
    for first in range(len(mistakes)):
        text = " ".join(mistake for mistake, _ in mistakes[first:])
        assert mistakes[first][1] in str(
            refusal(f"digraph {{ a[flowunit=source] b[flowunit=sink] a:o->b:i {text} }}")
        )


def test_all_problems_of_a_step_can_be_had_at_once() -> None:
    text = "digraph { a[flowunit=nosuch] b[flowunit=sink] c[type=x] d[flowunit=sink] a:o->b:j; d:o->b:i }"
    found = examine_graph(graph_file(text), units=UNITS)
    assert found.plan is None
    assert [problem.messages[1] for problem in found.problems] == [
        "create flowunit 'nosuch' failed.",
        MISMATCH.format("sink"),
        "unsupport node type. name: 'c' type: 'x'",
        MISMATCH.format("sink"),
    ]
    assert len(examine_graph(graph_file(text), units=UNITS, limit=2).problems) == 2


def test_examine_gives_the_plan_of_a_good_graph() -> None:
    source = graph_file("digraph { a[flowunit=source] b[flowunit=sink] a:o->b:i }")
    found = examine_graph(source, units=UNITS)
    assert (found.plan, found.problems) == (compile_graph(source, units=UNITS), ())


def test_examine_does_not_raise() -> None:
    assert len(examine_graph("digraph {}").problems) == 1


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
def test_accepted_though_odd(dot: str) -> None:
    assert len(compile_dot(dot).nodes) == 2


@pytest.mark.parametrize("folder", ["/no/such/folder", "", ["/no/such", "/nor/this"]])
def test_a_driver_dir_that_does_not_exist_is_accepted(folder: object) -> None:
    graph = {"format": "graphviz", "graphconf": "digraph { a[flowunit=source] b[flowunit=sink] a:o->b:i }"}
    assert len(compile_graph(json.dumps({"driver": {"dir": folder}, "graph": graph}), units=UNITS).nodes) == 2


def test_the_example_of_the_api_page() -> None:
    example = {
        "graph": {
            "format": "graphviz",
            "graphconf": [
                " digraph demo { ",
                "   httpserver_sync_receive[type=flowunit, flowunit=httpserver_sync_receive, device=cpu, "
                'deviceid=0, endpoint="http://127.0.0.1:8080/example", max_requests=10, time_out=5000]',
                "   httpserver_sync_reply[type=flowunit, flowunit=httpserver_sync_reply, device=cpu, deviceid=0]",
                "   httpserver_sync_receive:out_request_info -> httpserver_sync_reply:in_reply_info",
                "  }",
            ],
        },
        "driver": {"dir": "", "skip-default": "false"},
    }
    plan = compile_graph(json.dumps(example))
    receive = plan.nodes[0]
    assert receive.options["endpoint"] == "http://127.0.0.1:8080/example"
    assert plan.match == {"httpserver_sync_reply": "httpserver_sync_receive"}


def test_long_names_do_not_make_long_messages() -> None:
    error = refusal("digraph { a[flowunit=source] " + "b" * 100_000 + " }")
    assert len(str(error)) < 2_000
