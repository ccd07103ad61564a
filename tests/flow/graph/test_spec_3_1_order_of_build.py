"""Spec 3.1: the steps of `build` in their order, the words of each, and all errors of a step at once.

The last step, the scheduler ("init scheduler fail."), cannot fail here.
"""

import json

import pytest

from server.flow.graph import compile_graph, examine_graph
from server.flow.unitapi import Status
from tests.flow.graph.helpers import UNITS, compile_nodes, graph_file, nodes_dot, refusal
from tests.flow.run.programs import flow_of, passes, unit

STEPS = [
    pytest.param("x[type=flowunit] x:o->b:i", "build graph failed, please check graph config.", id="build"),
    pytest.param("o[type=output]", "invalid graph, please check graph config.", id="ports-and-components"),
    pytest.param(
        "l[flowunit=loop_one_output] a:o->l:i l:done->s:i s[flowunit=sink]",
        "loop node is illegal, please check graph config.",
        id="loops",
    ),
    pytest.param(
        "m[flowunit=merge] n[flowunit=plain] a:o->m:i1 n:o->m:i2 m:o->n:i",
        "generate topology fail, please check graph config.",
        id="topological-order",
    ),
    pytest.param(
        "r[flowunit=loop] q[flowunit=streamed] z[flowunit=sink] a:o->r:i r:again->q:i q:o->r:i r:done->z:i",
        "check loop node fail, please check graph config.",
        id="loop-members",
    ),
    pytest.param(
        "k[flowunit=collapse] t[flowunit=sink] a:o->k:i k:o->t:i",
        "check graph failed, please check graph config.",
        id="stream-matching",
    ),
]


@pytest.mark.parametrize(("mistake", "words"), STEPS)
def test_3_1_words_of_a_step(mistake: str, words: str) -> None:
    error = refusal(f"digraph {{ a[flowunit=source] b[flowunit=sink] a:o->b:i {mistake} }}")
    assert error.messages[0] == words


def test_3_1_steps_come_in_their_order() -> None:
    """A text with a mistake for each step is refused by the first step that has one."""
    mistakes = [(str(step.values[0]), step.values[1]) for step in STEPS]
    for first, (_, words) in enumerate(mistakes):
        text = " ".join(mistake for mistake, _ in mistakes[first:])
        error = refusal(f"digraph {{ a[flowunit=source] b[flowunit=sink] a:o->b:i {text} }}")
        assert error.messages[0] == words


def test_3_1_the_status_text_is_the_chain() -> None:
    text = str(refusal(nodes_dot("a=source b=sink x=sink", "a:o->b:i")))
    assert text.startswith(
        "Bad config, build graph failed, please check graph config. -> "
        "orphan node: 'x', use graph.strict=false to disable orphan check -> "
    )


def test_3_1_units_of_a_graph_that_is_refused_are_not_opened() -> None:
    """Deviation: ModelBox opens units before it checks the graph, so a refused one may have bound its ports."""
    opened: list[str] = []
    dot = "in[type=input]; out[type=output]; lost[type=output]; u[flowunit=u]; in -> u:in_1; u:out_1 -> out"
    flow = flow_of(dot, [unit("u", passes, opened=lambda config: opened.append("u") or Status())])
    assert "in port is not connect. node: lost port: lost" in flow.build().wrap_errormsgs()
    assert opened == []


def test_3_1_nodes_are_in_topological_order_by_name() -> None:
    plan = compile_nodes(
        "z=source y=split b=plain a=plain c=sink2", "z:o->y:i; y:o2->a:i; y:o1->b:i; a:o->c:i1; b:o->c:i2"
    )
    assert [each.name for each in plan.nodes] == ["z", "y", "a", "b", "c"]


def test_all_problems_of_a_step_can_be_had_at_once() -> None:
    text = "digraph { a[flowunit=nosuch] b[flowunit=sink] c[type=x] d[flowunit=sink] a:o->b:j; d:o->b:i }"
    found = examine_graph(graph_file(text), units=UNITS)
    assert found.plan is None
    assert [problem.messages[1] for problem in found.problems] == [
        "create flowunit 'nosuch' failed.",
        "flowunit 'sink' config error, port not connect correctly.",
        "unsupport node type. name: 'c' type: 'x'",
        "flowunit 'sink' config error, port not connect correctly.",
    ]
    assert len(examine_graph(graph_file(text), units=UNITS, limit=2).problems) == 2


def test_examine_gives_the_plan_of_a_good_graph() -> None:
    source = graph_file("digraph { a[flowunit=source] b[flowunit=sink] a:o->b:i }")
    found = examine_graph(source, units=UNITS)
    assert (found.plan, found.problems) == (compile_graph(source, units=UNITS), ())


def test_examine_does_not_raise() -> None:
    assert len(examine_graph("digraph {}").problems) == 1


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
