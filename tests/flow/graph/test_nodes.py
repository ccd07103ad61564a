"""Spec 2.2 (node attributes), 2.3 (graph level defaults), 2.4, 2.5 and 2.6 (input and output nodes)."""

import pytest

from server.flow.plan import NodeKind
from server.flow.status import StatusCode
from tests.flow.graph.helpers import UNITS, compile_dot, compile_nodes, edges, node, refusal, unit

STEP = "build graph failed, please check graph config."


def dot(attributes: str = "", graph: str = "") -> str:
    return f"digraph g {{ {graph} a[flowunit=source] b[flowunit=sink {attributes}] a:o -> b:i }}"


def test_2_2_type_defaults_to_flowunit() -> None:
    assert node(compile_dot(dot()), "b").kind is NodeKind.FLOWUNIT


def test_2_2_all_attributes_reach_the_unit() -> None:
    options = node(compile_dot(dot(', type=flowunit, device=cpu, label="x, y", my="1"')), "b").options
    assert options == {"flowunit": "sink", "type": "flowunit", "device": "cpu", "label": "x\x03y", "my": "1"}


def test_2_1_an_attribute_with_an_empty_value_is_as_if_absent() -> None:
    assert "my" not in node(compile_dot(dot(', my="", device=""')), "b").options


@pytest.mark.parametrize("attributes", ["type=flowunit", 'type=flowunit, flowunit=""'])
def test_2_2_flowunit_empty(attributes: str) -> None:
    error = refusal(f"digraph {{ a[flowunit=source] b[{attributes}] a:o -> b:i }}")
    assert error.code is StatusCode.INVALID
    assert error.messages[:2] == (STEP, "node b: flowunit name is empty.")


@pytest.mark.parametrize(
    "device",
    [
        pytest.param("", id="2.2-device-empty-is-every-device"),
        pytest.param(", device=cpu", id="2.2-device-plain"),
        pytest.param(", device=cpu, deviceid=0", id="2.2-deviceid"),
        pytest.param(', device="cpu:0"', id="2.2-device-with-id"),
        pytest.param(', device="cuda:0,1;cpu"', id="2.2-device-multi"),
        pytest.param(', device="cuda;cpu:0;"', id="2.2-device-multi-with-id"),
    ],
)
def test_devices(device: str) -> None:
    found = node(compile_dot(dot(device)), "b")
    assert (found.device, found.device_id) == ("cpu", "0")


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        pytest.param("device=cuda", "there is no device type 'cuda' here, only cpu", id="unknown-type"),
        pytest.param("device=CPU", "there is no device type 'CPU' here, only cpu", id="case"),
        pytest.param("device=cpu, deviceid=99", "device 'cpu' has the id 0 only, not 99", id="unknown-id"),
        pytest.param('device="cpu:1"', "device 'cpu' has the id 0 only, not 1", id="unknown-id-in-device"),
        pytest.param('device="cuda;ascend:0"', "there is no device type 'cuda'", id="unknown-types"),
    ],
)
def test_devices_that_are_not_there(attributes: str, reason: str) -> None:
    error = refusal(dot(f", {attributes}"))
    assert error.code is StatusCode.NOTFOUND
    assert error.messages[:2] == (STEP, "create flowunit 'sink' failed.")
    assert error.messages[2].startswith("can not find flowunit [type: ")
    assert reason in error.messages[3]
    assert "node 'b' (line 1)" in error.messages[3]


@pytest.mark.parametrize(
    "attributes",
    ["deviceid=0", 'device="cpu:0", deviceid=0', 'device="cpu;cuda", deviceid=0'],
    ids=["2.2-deviceid-without-device", "2.2-deviceid-with-id-form", "2.2-deviceid-with-several-devices"],
)
def test_deviceid_goes_with_one_plain_device(attributes: str) -> None:
    error = refusal(dot(f", {attributes}"))
    assert error.messages[:3] == (
        STEP,
        "create flowunit 'sink' failed.",
        "should not set deviceid param when use multi device",
    )


def test_the_same_unit_name_on_another_device_is_another_unit() -> None:
    units = (*UNITS, unit("mine", "i", "", device="cuda"))
    error = refusal("digraph { a[flowunit=source] b[flowunit=mine, device=cpu] a:o -> b:i }", units)
    assert error.messages[2].startswith("can not find flowunit [type: cpu, name:mine], Please check")


@pytest.mark.parametrize(
    ("node_attributes", "kind"),
    [
        pytest.param("flowunit=sink, queue_size=0", "b", id="2.2-queue_size"),
        pytest.param("flowunit=sink, queue_size_i=0", "b", id="2.2-queue_size-of-a-port"),
    ],
)
def test_queue_sizes_of_zero(node_attributes: str, kind: str) -> None:
    error = refusal(f"digraph {{ a[flowunit=source] {kind}[{node_attributes}] a:o -> b:i }}")
    assert error.code is StatusCode.INVALID
    assert error.messages[:2] == (STEP, "queue size config is zero")


def test_2_2_queue_size_external_of_zero() -> None:
    error = refusal("digraph { a[flowunit=source, queue_size_external=0] b[flowunit=sink] a:o -> b:i }")
    assert "node 'a' (line 1): queue_size_external must be 1 or more" in str(error)
    error = refusal("digraph { a[type=input, queue_size_external=0] b[flowunit=sink] a -> b:i }")
    assert (error.code, error.messages[1]) == (StatusCode.INVALID, "queue size config is zero")


@pytest.mark.parametrize(
    "attributes",
    [
        "queue_size=abc",
        "queue_size=-1",
        "queue_size_event=0",
        "queue_size_external=0",
        "batch_size=x",
        "queue_size_o=0",
    ],
)
def test_values_that_do_not_convert_or_are_not_read_are_accepted(attributes: str) -> None:
    assert node(compile_dot(dot(f", {attributes}")), "b").name == "b"


def test_2_2_is_exception_visible_is_ignored() -> None:
    found = node(compile_dot(dot(", is_exception_visible=true")), "b")
    assert found.unit is not None
    assert found.unit.exception_visible is False


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


def test_2_4_identical_edges_collapse() -> None:
    plan = compile_nodes("a=source b=sink", "a:o -> b:i; a:o -> b:i; a -> b [tailport=o, headport=i]")
    assert edges(plan) == ["a:o->b:i"]


def test_2_4_fan_out_is_free() -> None:
    plan = compile_nodes("a=source b=sink c=sink", "a:o -> b:i; a:o -> c:i")
    assert edges(plan) == ["a:o->b:i", "a:o->c:i"]


def test_2_4_ports_of_input_and_output_nodes_are_ignored() -> None:
    plan = compile_nodes("a=input b=plain c=output", "a:whatever -> b:i; b:o -> c:whatever:n")
    assert edges(plan) == ["a:a->b:i", "b:o->c:c"]


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


@pytest.mark.parametrize("output_type", ["match", "unmatch", ""])
def test_2_6_output_types(output_type: str) -> None:
    text = f'digraph {{ a[flowunit=source] b[type=output, output_type="{output_type}"] a:o -> b }}'
    assert len(compile_dot(text).nodes) == 2


def test_2_2_output_type_that_is_neither() -> None:
    error = refusal("digraph { a[flowunit=source] b[type=output, output_type=both] a:o -> b }")
    assert (error.code, error.messages[:2]) == (StatusCode.INVALID, (STEP, "Invalid Output Type"))


def test_2_6_unmatch_takes_streams_that_do_not_match() -> None:
    text = "digraph {{ a[flowunit=source] e[flowunit=expand] x[{}] y[type=output] a:o->e:i; a:o->x; e:o->y }}"
    assert len(compile_dot(text.format("type=output, output_type=unmatch")).nodes) == 3
    assert "different level links" in str(refusal(text.format("type=output")))


def test_nodes_are_in_topological_order_by_name() -> None:
    plan = compile_nodes(
        "z=source y=split b=plain a=plain c=sink2", "z:o->y:i; y:o2->a:i; y:o1->b:i; a:o->c:i1; b:o->c:i2"
    )
    assert [each.name for each in plan.nodes] == ["z", "y", "a", "b", "c"]


def test_the_first_problem_is_that_of_the_alphabetically_first_node() -> None:
    """Spec 2.1: nodes are processed in the order of their names, not of the file."""
    assert "name: 'a' type: 'y'" in str(refusal("digraph { b[type=x] a[type=y] }"))


def test_the_graph_name_is_the_plan_name() -> None:
    assert compile_dot('digraph "my flow" { a[flowunit=source] b[flowunit=sink] a:o->b:i }').name == "my flow"
