"""Spec 5.13: FlowGraphDesc, FlowNodeDesc and FlowPortDesc."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from server.flow.graph.compile import compile_settings
from server.flow.sdk import Flow, FlowGraphDesc, FlowNodeDesc
from server.flow.unitapi import Configuration, DataContext, UnitStatusCode
from tests.flow.sdk.upper import echoes

CODES = UnitStatusCode


def doubled(context: DataContext) -> UnitStatusCode:
    for buffer in context.input("x"):  # type: ignore[union-attr]
        context.output("y").push_back(f"{buffer}{buffer}")  # type: ignore[union-attr]
    return CODES.STATUS_SUCCESS


def run_graph(graph: FlowGraphDesc, text: str = "ab") -> list[str]:
    flow = Flow()
    assert flow.init(graph)
    return echoes(flow, text)


def test_5_13_graph_desc_builds_a_graph_of_units_and_functions(units: Path) -> None:
    graph = FlowGraphDesc()
    graph.set_drivers_dir([str(units)])
    graph.set_skip_default_drivers(True)
    source = graph.add_input("in")
    upper = graph.add_node("upper", "cpu", ["suffix=,\"'\\"], {"in_1": source[0]})
    twice = graph.add_function(doubled, ["x"], ["y"], {"x": upper["out_1"]})
    graph.add_output("out", twice["y"])
    assert run_graph(graph) == ["AB,\"'\\AB,\"'\\"]


def test_5_13_graph_desc_settings(units: Path, tmp_path: Path) -> None:
    graph = FlowGraphDesc()
    graph.set_drivers_dir([str(units), str(tmp_path)])
    graph.set_skip_default_drivers(True)
    graph.set_queue_size(4)
    graph.set_batch_size(2)
    graph.set_profile_dir(str(tmp_path))
    graph.set_profile_trace_enable(True)
    graph.add_output("out", graph.add_node("upper", "cpu", graph.add_input("in")))
    source = graph._source()
    settings = Configuration(source.settings)
    assert settings.get_string_list("driver.dir") == [str(units), str(tmp_path)]
    assert settings.get_string("profile.dir") == str(tmp_path)
    assert settings.get_bool("driver.skip-default")
    assert settings.get_bool("profile.trace")
    upper = next(node for node in compile_settings(source.settings, dot=source.dot).nodes if node.name == "upper")
    assert (upper.options["queue_size"], upper.options["batch_size"]) == ("4", "2")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(lambda source: (["suffix=!"], {"in_1": source[0]}), "AB!", id="config and ports"),
        pytest.param(lambda source: ({"in_1": source[0]},), "AB", id="ports"),
        pytest.param(lambda source: (["suffix=!"], source), "AB!", id="config and one node"),
        pytest.param(lambda source: (source,), "AB", id="one node"),
    ],
)
def test_5_13_add_node(units: Path, arguments: Callable[[FlowNodeDesc], tuple[Any, ...]], expected: str) -> None:
    graph = FlowGraphDesc()
    graph.set_drivers_dir([str(units)])
    graph.add_output("out", graph.add_node("upper", "cpu", *arguments(graph.add_input("in")))["out_1"])
    assert run_graph(graph) == [expected]


def test_5_13_add_node_without_a_source() -> None:
    found: list[str] = []
    arrived = threading.Event()

    def collects(context: DataContext) -> UnitStatusCode:
        found.extend(map(str, context.input("x") or ()))
        arrived.set()
        return CODES.STATUS_SUCCESS

    graph = FlowGraphDesc()
    source = graph.add_node("data_source_generator", "cpu", ["source_type=url", "url=rtsp://a/b,c"])
    graph.add_function(collects, ["x"], [], source)
    flow = Flow()
    assert flow.init(graph)
    assert flow.start_run()
    assert arrived.wait(10)
    flow.stop()
    assert found == ['{"url":"rtsp://a/b,c"}']


def test_5_13_graph_desc_takes_a_single_node_as_source_and_as_output(units: Path) -> None:
    graph = FlowGraphDesc()
    graph.set_drivers_dir([str(units)])
    first = graph.add_node("upper", "cpu", graph.add_input("in"))
    second = graph.add_node("upper", "cpu", ["suffix=!"], first)
    graph.add_output("out", graph.add_function(doubled, ["x"], ["y"], second))
    assert run_graph(graph) == ["AB!AB!"]
    assert (first.get_node_name(), second.get_node_name()) == ("upper", "upper2")


def test_5_13_node_desc_names_its_node_and_its_ports(units: Path) -> None:
    graph = FlowGraphDesc()
    node = graph.add_node("upper", "cpu")
    third = [graph.add_node("upper", "cpu") for _ in range(2)][1]
    assert third.get_node_name() == "upper3"
    node.set_node_name("mine")
    port = node["out_1"]
    assert (node.get_node_name(), port.get_node_name(), port.get_port_name()) == ("mine", "mine", "out_1")


def test_5_13_a_node_desc_of_a_name() -> None:
    node = FlowNodeDesc("mine")
    assert (node.get_node_name(), node[0].get_node_name()) == ("mine", "mine")
    assert node["out"].get_port_name() == "out"


def test_5_13_graph_desc_refusals(units: Path) -> None:
    graph = FlowGraphDesc()
    with pytest.raises(ValueError, match="key=value"):
        graph.add_node("upper", "cpu", ["suffix"])
    graph.set_drivers_dir([str(units)])
    node = graph.add_node("upper", "cpu", graph.add_input("in"))
    graph.add_output("out", node[1])
    status = Flow().init(graph)
    assert status == CODES.STATUS_BADCONF
    assert "1 outputs, so there is no number 1" in status.errormsg()
    node.set_node_name("in")
    assert Flow().init(graph) == CODES.STATUS_EXIST
    unknown = FlowGraphDesc()
    unknown.add_output("out", unknown.add_node("nonesuch", "cpu", unknown.add_input("in")))
    flow = Flow()
    assert flow.init(unknown)
    assert flow.build() == CODES.STATUS_NOTFOUND
