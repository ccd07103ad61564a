"""Spec 2.2: a test for each attribute of a node.

In other places: `batch_size` in tests/flow/run/test_spec_4_6_batches_and_queues.py, `need_check_output` in
tests/flow/run/test_spec_4_7_output_rules.py.
"""

import pytest

from server.flow.plan import NodeKind
from server.flow.run.sizes import external_capacity, queue_size
from server.flow.status import StatusCode
from tests.flow.graph.helpers import UNITS, compile_dot, node, refusal, unit

STEP = "build graph failed, please check graph config."


def dot(attributes: str = "", source: str = "") -> str:
    return f"digraph g {{ a[flowunit=source {source}] b[flowunit=sink {attributes}] a:o -> b:i }}"


@pytest.mark.parametrize("attributes", ["", ", type=flowunit"], ids=["default", "given"])
def test_2_2_type_flowunit(attributes: str) -> None:
    assert node(compile_dot(dot(attributes)), "b").kind is NodeKind.FLOWUNIT


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("x[type=input] b[flowunit=sink] x -> b:i", NodeKind.INPUT),
        ("a[flowunit=source] x[type=output] a:o -> x", NodeKind.OUTPUT),
    ],
    ids=["input", "output"],
)
def test_2_2_type_input_and_output(text: str, kind: NodeKind) -> None:
    assert node(compile_dot(f"digraph {{ {text} }}"), "x").kind is kind


@pytest.mark.parametrize("attributes", ["type=flowunit", 'type=flowunit, flowunit=""'], ids=["absent", "empty"])
def test_2_2_flowunit_empty(attributes: str) -> None:
    error = refusal(f"digraph {{ a[flowunit=source] b[{attributes}] a:o -> b:i }}")
    assert error.code is StatusCode.INVALID
    assert error.messages[:2] == (STEP, "node b: flowunit name is empty.")


@pytest.mark.parametrize(
    "device",
    [
        pytest.param("", id="empty-is-every-device"),
        pytest.param(", device=cpu", id="plain"),
        pytest.param(', device="cpu:0"', id="with-id"),
        pytest.param(', device="cuda:0,1;cpu"', id="multi"),
        pytest.param(', device="cuda;cpu:0;"', id="multi-with-id"),
    ],
)
def test_2_2_device(device: str) -> None:
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
def test_2_2_device_that_is_not_there(attributes: str, reason: str) -> None:
    error = refusal(dot(f", {attributes}"))
    assert error.code is StatusCode.NOTFOUND
    assert error.messages[:2] == (STEP, "create flowunit 'sink' failed.")
    assert error.messages[2].startswith("can not find flowunit [type: ")
    assert error.messages[3].startswith("node 'b' (line 1): ")
    assert reason in error.messages[3]
    assert error.messages[3].endswith("the unit is there for 'cpu'")


def test_2_2_device_has_no_such_unit() -> None:
    units = (*UNITS, unit("mine", "i", "", device="cuda"))
    error = refusal("digraph { a[flowunit=source] b[flowunit=mine, device=cpu] a:o -> b:i }", units)
    assert error.messages[2].startswith("can not find flowunit [type: cpu, name:mine], Please check")
    assert "the unit is there for 'cuda' only, and this engine has the device cpu" in error.messages[3]


def test_2_2_deviceid_with_one_plain_device() -> None:
    assert node(compile_dot(dot(", device=cpu, deviceid=0")), "b").device_id == "0"


@pytest.mark.parametrize(
    "attributes",
    ["deviceid=0", 'device="cpu:0", deviceid=0', 'device="cpu;cuda", deviceid=0'],
    ids=["without-device", "with-id-form", "with-several-devices"],
)
def test_2_2_deviceid_with_anything_else(attributes: str) -> None:
    error = refusal(dot(f", {attributes}"))
    assert error.messages[:3] == (
        STEP,
        "create flowunit 'sink' failed.",
        "should not set deviceid param when use multi device",
    )


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        pytest.param("", 32, id="default"),
        pytest.param(", queue_size=5", 5, id="queue_size"),
        pytest.param(", queue_size=5, queue_size_i=7", 7, id="queue_size_inport"),
        pytest.param(", queue_size_o=7", 32, id="queue_size-of-no-inport"),
        pytest.param(", queue_size=abc", 32, id="no-number"),
        pytest.param(', queue_size=-1, queue_size_i="7x"', 32, id="no-unsigned-number"),
        pytest.param(", queue_size_event=0", 32, id="queue_size_event-is-ignored"),
        pytest.param(", queue_size_external=0", 32, id="queue_size_external-is-for-nodes-without-inputs"),
    ],
)
def test_2_2_queue_size_and_queue_size_inport(attributes: str, size: int) -> None:
    assert queue_size(node(compile_dot(dot(attributes)), "b"), "i") == size


@pytest.mark.parametrize(
    ("attributes", "size"),
    [("", 1024), (", queue_size_external=7", 7), (", queue_size_external=-7", 1024), (", queue_size=5", 1024)],
)
def test_2_2_queue_size_external(attributes: str, size: int) -> None:
    assert external_capacity(node(compile_dot(dot(source=attributes)), "a")) == size


@pytest.mark.parametrize(
    ("text", "place"),
    [
        pytest.param(dot(", queue_size=0"), "node 'b' (line 1): queue_size must be", id="queue_size"),
        pytest.param(dot(", queue_size_i=0"), "node 'b' (line 1): queue_size_i must be", id="queue_size_inport"),
        pytest.param(
            dot(source=", queue_size_external=0"),
            "node 'a' (line 1): queue_size_external must be",
            id="queue_size_external",
        ),
        pytest.param(
            "digraph { a[type=input, queue_size_external=0] b[flowunit=sink] a -> b:i }",
            "node 'a' (line 1): queue_size_external must be",
            id="queue_size_external-of-an-input-node",
        ),
        pytest.param(
            "digraph { a[flowunit=source] b[type=output, queue_size=0] a:o -> b }",
            "node 'b' (line 1): queue_size must be",
            id="queue_size-of-an-output-node",
        ),
    ],
)
def test_2_2_queue_sizes_of_zero(text: str, place: str) -> None:
    error = refusal(text)
    assert error.code is StatusCode.INVALID
    assert error.messages[:2] == (STEP, "queue size config is zero")
    assert error.messages[2].startswith(place)


@pytest.mark.parametrize("output_type", ["match", "unmatch", ""])
def test_2_2_output_type(output_type: str) -> None:
    text = f'digraph {{ a[flowunit=source] b[type=output, output_type="{output_type}"] a:o -> b }}'
    assert len(compile_dot(text).nodes) == 2


def test_2_2_output_type_that_is_neither() -> None:
    error = refusal("digraph { a[flowunit=source] b[type=output, output_type=both] a:o -> b }")
    assert (error.code, error.messages[:2]) == (StatusCode.INVALID, (STEP, "Invalid Output Type"))
    assert error.messages[2] == "node 'b' (line 1): output_type is match or unmatch, not 'both'"


def test_2_2_is_exception_visible_is_ignored() -> None:
    found = node(compile_dot(dot(", is_exception_visible=true")), "b")
    assert found.unit is not None
    assert found.unit.exception_visible is False


def test_2_2_label_and_all_other_attributes_reach_the_unit() -> None:
    options = node(compile_dot(dot(', type=flowunit, device=cpu, label="x, y", shape=box, my="1"')), "b").options
    assert options == {
        "flowunit": "sink",
        "type": "flowunit",
        "device": "cpu",
        "label": "x\x03y",
        "shape": "box",
        "my": "1",
    }
