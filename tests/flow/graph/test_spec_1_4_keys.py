"""Spec 1.4, a test for each key of a graph file.

In other places: `log.level` in tests/flow/unitapi/test_spec_1_4_log_level.py, `profile.*` in
tests/flow/profile/test_spec_1_4_keys.py.
"""

import json
import os
from pathlib import Path

import pytest

from server.flow.graph import compile_graph
from server.flow.plan import Plan
from server.flow.run.sizes import max_threads
from server.flow.status import FlowError, StatusCode
from tests.flow.graph.helpers import UNITS

GOOD_DOT = "digraph g { a[flowunit=source] b[flowunit=sink] a:o->b:i }"
WITH_ORPHAN = "digraph g { a[flowunit=source] b[flowunit=sink] a:o->b:i; c[flowunit=sink] }"
UPPER = (
    '[base]\nname="upper"\ndevice="cpu"\nversion="1.0.0"\ndescription="d"\ntype="python"\nentry="upper@Upper"\n'
    '[input.input1]\nname="in_1"\n'
)
UPPER_DOT = "digraph g { a[flowunit=source] b[flowunit=upper] a:o->b:in_1 }"


def source_of(dot: str = GOOD_DOT, graph: dict[str, object] | None = None, **tables: object) -> str:
    return json.dumps({"graph": {"format": "graphviz", "graphconf": dot, **(graph or {})}, **tables})


def compiled(dot: str = GOOD_DOT, graph: dict[str, object] | None = None, **tables: object) -> Plan:
    return compile_graph(source_of(dot, graph, **tables), units=UNITS)


def refused(source: str) -> FlowError:
    with pytest.raises(FlowError) as caught:
        compile_graph(source, units=UNITS)
    return caught.value


@pytest.mark.parametrize("missing", [{}, {"format": ""}], ids=["absent", "empty"])
def test_1_4_graph_format_is_required(missing: dict[str, str]) -> None:
    error = refused(json.dumps({"graph": {"graphconf": GOOD_DOT, **missing}}))
    assert (error.code, error.messages[:2]) == (
        StatusCode.BADCONF,
        ("load graph failed.", "graph.format is empty"),
    )


@pytest.mark.parametrize("format", ["yaml", "Graphviz", "dot"])
def test_1_4_graph_format_is_graphviz_only(format: str) -> None:
    error = refused(json.dumps({"graph": {"graphconf": GOOD_DOT, "format": format}}))
    assert error.code is StatusCode.NOTSUPPORT
    assert error.messages[1:] == (
        "Graph format not supported, support type:graphviz",
        f"graph.format is '{format}'",
    )


def test_1_4_graph_graphconf_as_a_list_is_joined_by_line_ends() -> None:
    lines = ["digraph g { // a comment ends with its line", "a[flowunit=source] b[flowunit=sink]", "a:o->b:i", "}"]
    assert compile_graph(source_of(graph={"graphconf": lines}), units=UNITS).name == "g"


def test_1_4_graph_graphconf_as_a_string_is_followed_by_a_line_end() -> None:
    assert compiled(f"{GOOD_DOT} // a comment that only a line end can end").name == "g"
    assert "line 2, column 1: expected '}', found the end" in str(refused(source_of("digraph g {")))


def test_1_4_graph_graphconffilepath(tmp_path: Path) -> None:
    (tmp_path / "g.dot").write_text(GOOD_DOT)
    assert len(compiled("", {"graphconffilepath": str(tmp_path / "g.dot")}).nodes) == 2


def test_1_4_graph_graphconffilepath_is_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "g.dot").write_text(GOOD_DOT)
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    assert len(compiled("", {"graphconffilepath": "../g.dot"}).nodes) == 2


def test_1_4_graph_graphconffilepath_is_used_only_without_graphconf() -> None:
    assert compiled(GOOD_DOT, {"graphconffilepath": "/no/such.dot"}).name == "g"


@pytest.mark.parametrize("path", ["/no/such.dot", "/", "/dev/zero"])
def test_1_4_graph_graphconffilepath_that_cannot_be_read(path: str) -> None:
    error = refused(source_of("", {"graphconffilepath": path}))
    assert error.code is StatusCode.BADCONF
    assert error.messages[1].startswith(f"read file {path} failed, ")


@pytest.mark.parametrize("empty", [{}, {"graphconf": ""}, {"graphconf": []}], ids=["absent", "empty", "no-lines"])
def test_1_4_graph_graphconf_and_graphconffilepath_both_missing(empty: dict[str, object]) -> None:
    error = refused(json.dumps({"graph": {"format": "graphviz", **empty}}))
    assert (error.code, error.messages[1]) == (StatusCode.NOTFOUND, "graph config path is null.")


@pytest.mark.parametrize("graph", [{}, {"strict": True}, {"strict": "no"}], ids=["default", "true", "no-bool"])
def test_1_4_graph_strict_is_true_by_default(graph: dict[str, object]) -> None:
    assert "orphan node: 'c'" in str(refused(source_of(WITH_ORPHAN, graph)))


@pytest.mark.parametrize("strict", [False, "false", 0, "0"])
def test_1_4_graph_strict_false(strict: object) -> None:
    assert len(compiled(WITH_ORPHAN, {"strict": strict}).nodes) == 2


@pytest.mark.parametrize(
    ("graph", "threads"),
    [
        pytest.param({}, 32 * max(2 * 2, os.cpu_count() or 1), id="thread-num-default"),
        pytest.param({"thread-num": 3}, 96, id="thread-num"),
        pytest.param({"thread-num": 3, "max-thread-num": 7}, 7, id="max-thread-num"),
        pytest.param({"max-thread-num": "9"}, 9, id="max-thread-num-as-text"),
        pytest.param({"thread-num": -3, "max-thread-num": "9 "}, 32 * max(4, os.cpu_count() or 1), id="no-uint32"),
        pytest.param({"max-thread-num": 50, "max_executor_thread_num": 4}, 4, id="max_executor_thread_num"),
        pytest.param({"max-thread-num": 50, "max_executor_thread_num": 0}, 50, id="max_executor_thread_num-0"),
        pytest.param({"max-thread-num": 1}, 3, id="at-least-one-for-each-node-and-one-more"),
        pytest.param({"thread_num": 1, "max_thread_num": 1}, 32 * max(4, os.cpu_count() or 1), id="underscores"),
    ],
)
def test_1_4_graph_thread_num_max_thread_num_and_max_executor_thread_num(
    graph: dict[str, object], threads: int
) -> None:
    """Deviation: one pool for the flow and its devices, whose threads start when they are needed. So `thread-num`
    counts only through the maximum that ModelBox derives from it, and a flow has at least one for each node."""
    plan = compiled(graph=graph)
    assert max_threads(plan.settings, len(plan.nodes)) == threads


def test_1_4_graph_queue_size_and_batch_size_are_not_read() -> None:
    plan = compiled(graph={"queue_size": 0, "batch_size": 1})
    assert plan.nodes[0].options == {"flowunit": "source"}


@pytest.mark.parametrize("as_list", [True, False], ids=["list", "string"])
def test_1_4_driver_dir(tmp_path: Path, as_list: bool) -> None:
    (tmp_path / "upper.toml").write_text(UPPER)
    folders = ["/no/such/folder", str(tmp_path)] if as_list else str(tmp_path)
    assert compiled(UPPER_DOT, driver={"dir": folders}).nodes[1].options["flowunit"] == "upper"


@pytest.mark.parametrize("folder", ["/no/such/folder", "", ["/no/such", "/nor/this"]])
def test_1_4_driver_dir_that_does_not_exist_is_accepted(folder: object) -> None:
    assert len(compiled(driver={"dir": folder}).nodes) == 2


def test_1_4_driver_skip_default(tmp_path: Path) -> None:
    """Deviation: in ModelBox the HTTP units are libraries of the folder that is skipped, and such a graph has them
    in its own. Here they are built in, and stay if there is anything in `driver.dir`."""
    (tmp_path / "upper.toml").write_text(UPPER)
    dot = "digraph g { a[flowunit=httpserver_sync_receive] b[flowunit=upper] a:out_request_info->b:in_1 }"
    source = source_of(dot, driver={"dir": str(tmp_path), "skip-default": True})
    assert len(compile_graph(source).nodes) == 2


@pytest.mark.parametrize("driver", [{}, {"dir": ""}, {"dir": "/no/such/folder"}])
def test_1_4_driver_skip_default_with_nothing_else_to_load(driver: dict[str, object]) -> None:
    with pytest.raises(FlowError, match=r"driver\.skip-default is true") as caught:
        compile_graph(source_of(driver={**driver, "skip-default": "true"}))
    assert caught.value.code is StatusCode.NOTFOUND


def test_1_4_flow_name_is_for_look_ups_only() -> None:
    assert compiled(flow={"name": "other"}).name == "g"


def test_1_4_flow_desc_is_for_editors_only() -> None:
    assert compiled(flow={"desc": "x"}).nodes == compiled().nodes


def test_1_4_flow_enable() -> None:
    assert str(refused(source_of(flow={"enable": False}))).startswith("Operation not permitted, flow is disabled")
    assert compiled(flow={"enable": True}).name == "g"


def test_1_4_args_default_counts_only_where_arguments_are_given() -> None:
    """A job has none and takes the defaults; `Flow.init` leaves placeholders alone, as ModelBox does."""
    dot = 'digraph g { a[flowunit=source, x="$port"] b[flowunit=sink] a:o->b:i }'
    source = source_of(dot, args={"port": {"default": "8080"}})
    found = [compile_graph(source, units=UNITS, args=args).nodes[0].options["x"] for args in (None, {})]
    assert found == ["$port", "8080"]


def test_1_4_there_is_no_base_table_in_a_graph() -> None:
    assert compiled(base={"name": "x", "type": 7}).nodes == compiled().nodes
