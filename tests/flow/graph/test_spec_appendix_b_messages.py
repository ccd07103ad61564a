"""Appendix B: each row of the catalogue of messages, as a job's `job_error_msg` begins.

ModelBox's words come first, from the outer step to the inner cause, and then ours: which node, in which line, and
what there is instead.
"""

import json
from pathlib import Path

import pytest

from server.flow.graph import compile_graph
from server.flow.sdk import Flow
from server.flow.status import FlowError
from tests.flow.graph.helpers import UNITS, nodes_dot, refusal
from tests.flow.unitapi.folders import own_modules, write_unit

BUILD = "build graph failed, please check graph config."
GRAPH = "invalid graph, please check graph config."
TOPOLOGY = "generate topology fail, please check graph config."
MATCHING = "check graph failed, please check graph config."
NO_UNIT = (
    "can not find flowunit [type: {}, name:{}], Please check if the 'device' configured correctly "
    "or if the flowunit library exists."
)


def init_refusal(settings: dict[str, object]) -> str:
    with pytest.raises(FlowError) as caught:
        compile_graph(json.dumps(settings), units=UNITS)
    return str(caught.value)


@pytest.mark.parametrize(
    ("settings", "text", "ours"),
    [
        pytest.param(
            {"graph": {"graphconf": "digraph {}"}},
            "Bad config, load graph failed. -> graph.format is empty",
            'write format = "graphviz" under [graph]',
            id="no-graph-format",
        ),
        pytest.param(
            {"graph": {"format": "yaml", "graphconf": "digraph {}"}},
            "Not supported, load graph failed. -> Graph format not supported, support type:graphviz",
            "graph.format is 'yaml'",
            id="wrong-format",
        ),
        pytest.param(
            {"graph": {"format": "graphviz"}},
            "Not found, load graph failed. -> graph config path is null.",
            "the graph file has neither graph.graphconf nor graph.graphconffilepath",
            id="no-dot",
        ),
        pytest.param(
            {"flow": {"enable": False}, "graph": {"format": "graphviz", "graphconf": "digraph {}"}},
            "Operation not permitted, flow is disabled",
            "flow.enable is false in the graph file",
            id="flow-disabled",
        ),
    ],
)
def test_b_of_init(settings: dict[str, object], text: str, ours: str) -> None:
    assert init_refusal(settings) == f"{text} -> {ours}"


def test_b_dot_syntax_error() -> None:
    """Deviation: ModelBox says `Fault` alone. What is wrong, and where, follows; see test_syntax_errors."""
    assert str(refusal("digraph {\n a -> -> b }")).startswith("Fault, DOT syntax error in line 2, column 7: ")


@pytest.mark.parametrize(
    ("kinds", "body", "text", "ours"),
    [
        pytest.param(
            "a=source b=sink c=sink",
            "a:o->b:i",
            f"Bad config, {BUILD} -> orphan node: 'c', use graph.strict=false to disable orphan check",
            "node 'c' (line 4) has no edge",
            id="orphan",
        ),
        pytest.param(
            "a=source",
            "bee[x=1] a:o->bee:i",
            f"Not supported, {BUILD} -> unsupport node type. name: 'bee' type: ''",
            "node 'bee' (line 3): give it flowunit=..., or type=input or type=output",
            id="no-type",
        ),
        pytest.param(
            "a=source",
            "b[type=flowunit] a:o->b:i",
            f"Invalid argument, {BUILD} -> node b: flowunit name is empty.",
            "node 'b' (line 3): give it flowunit=...",
            id="no-flowunit",
        ),
        pytest.param(
            "a=source b=snik",
            "a:o->b:i",
            f"Not found, {BUILD} -> create flowunit 'snik' failed. -> {NO_UNIT.format('', 'snik')}",
            "node 'b' (line 3): there is no unit 'snik'; did you mean 'sink' or 'sink2'?",
            id="unknown-unit",
        ),
        pytest.param(
            "a=source b=sink2",
            "a:o->b:i1",
            f"Bad config, {BUILD} -> flowunit 'sink2' config error, port not connect correctly.",
            "node 'b' (line 3): node input port: i2 is not connected; the unit has the inputs 'i1', 'i2' and the "
            "outputs none",
            id="ports-not-matching",
        ),
        pytest.param(
            "a=source b=sink",
            "a->b:i",
            f"Bad config, {BUILD} -> add link failed. -> src port is not exist. node: a port: ",
            "edge in line 4: write the port, as in a:o; outputs: 'o'",
            id="bad-source-port",
        ),
        pytest.param(
            "a=source b=sink",
            "a:o->b",
            f"Bad config, {BUILD} -> add link failed. -> dst port is not exist. node: b port: ",
            "edge in line 4: write the port, as in b:i; inputs: 'i'",
            id="bad-target-port",
        ),
        pytest.param(
            "a=source b=sink c=source d=sink",
            "a:o->b:i; c:o->d:i",
            f"Bad config, {GRAPH} -> not all node connect. -> not all node union.",
            "no edge links node 'a' (line 2), 'b' with node 'c' (line 4), 'd': "
            "make two flows of them, or link them",
            id="several-components",
        ),
        pytest.param(
            "s=source a=merge b=plain",
            "s:o->a:i1; b:o->a:i2; a:o->b:i",
            f"Bad config, {TOPOLOGY} -> not all node connect.",
            "the edges go round in a circle without a loop unit: b -> a -> b (first: node 'b' (line 4))",
            id="cycle",
        ),
        pytest.param(
            "a=plain b=plain",
            "a:o->b:i; b:o->a:i",
            f"Bad config, {TOPOLOGY} -> start node is not exist.",
            "every node has an input: a flow begins with a type=input node or a unit without inputs",
            id="no-source",
        ),
        pytest.param(
            "a=source b=plain c=plain d=sink",
            "a:o->b:i; a:o->c:i; b:o->d:i\nc:o->d:i",
            f"Bad config, {MATCHING} -> check node d link connect failed. -> "
            "node:d port:i. One port links multi edges can not match at one port.",
            "node 'd' (line 5): input 'i' takes 'b:o' (line 6), 'c:o' (line 7): one input can join only different "
            "branches of one if-else unit (they part at 'a')",
            id="multi-edges-without-condition",
        ),
        pytest.param(
            "s=source k=collapse d=sink",
            "s:o->k:i; k:o->d:i",
            f"Bad config, {MATCHING} -> check node k -> branch match CollapseMatch failed -> "
            "can't find a expand node for k",
            "node 'k' (line 3) collapses what no unit before it has expanded",
            id="collapse-alone",
        ),
        pytest.param(
            "a=source2 e=expand f=sink2",
            "a:o1->e:i; e:o->f:i1\na:o2->f:i2",
            f"Bad config, {MATCHING} -> check node f link connect failed. -> "
            "node:f has different level links, pls check the input links. -> a:o2 links f:i2 failed.",
            "node 'f' (line 4): input 'i1' takes 'e:o' (line 5), which is from 'a', expanded by 'e', and "
            "input 'i2' takes 'a:o2' (line 6), which is from 'a'",
            id="level-mix",
        ),
        pytest.param(
            "a=source",
            'b[flowunit=sink, device="cpu;cuda", deviceid=0] a:o->b:i',
            f"Not found, {BUILD} -> create flowunit 'sink' failed. -> "
            "should not set deviceid param when use multi device",
            "node 'b' (line 3): deviceid goes with one plain device type, and device is 'cpu;cuda'",
            id="deviceid-with-multi-device",
        ),
        pytest.param(
            "a=source",
            "b[flowunit=sink, queue_size=0] a:o->b:i",
            f"Invalid argument, {BUILD} -> queue size config is zero",
            "node 'b' (line 3): queue_size must be 1 or more",
            id="queue_size-0",
        ),
    ],
)
def test_b_of_build(kinds: str, body: str, text: str, ours: str) -> None:
    assert str(refusal(nodes_dot(kinds, body))) == f"{text} -> {ours}"


def open_refusal(folder: Path, code: str, **keys: str) -> str:
    write_unit(folder, "u", code, **keys)
    dot = "digraph {\n i[type=input] o[type=output]\n n[flowunit=u]\n i->n:in_1; n:out_1->o }"
    graph = {"driver": {"dir": str(folder)}, "graph": {"format": "graphviz", "graphconf": dot}}
    flow = Flow()
    assert flow.init("g", json.dumps(graph))
    with own_modules():
        return flow.build().wrap_errormsgs()


OPEN = f"{BUILD} -> open flowunit 'u', type 'cpu' failed."


def test_b_bad_python_entry(tmp_path: Path) -> None:
    assert open_refusal(tmp_path, "", entry="u") == (
        f"Invalid argument, {OPEN} -> invalid entry string: u -> node 'n' (line 3): its description is broken: "
        f"{tmp_path}/u.toml, key 'base.entry': invalid entry string: u (it is 'file@Class')"
    )


def test_b_import_problem(tmp_path: Path) -> None:
    assert open_refusal(tmp_path, "import no_such_thing\n") == (
        f"Invalid argument, {OPEN} -> import u@Unit failed: "
        "ModuleNotFoundError: No module named 'no_such_thing' -> "
        f"node 'n': {tmp_path}/u.py, line 1, in <module>: import no_such_thing"
    )


def test_b_open_raised(tmp_path: Path) -> None:
    code = """
import _flowunit as modelbox
class Unit(modelbox.FlowUnit):
    def open(self, config):
        1 / 0
"""
    assert open_refusal(tmp_path, code) == (
        f"Fault, {OPEN} -> u@Unit function open error: ZeroDivisionError: division by zero -> "
        f"node 'n': {tmp_path}/u.py, line 5, in open: 1 / 0"
    )
