"""Spec 1.1, 1.2 (the table of values, JSON to TOML), 1.3, 1.4 and 1.5: graph files as a flat map of strings."""

import json
from pathlib import Path

import pytest

from server.flow.graph import compile_graph, detect_format
from server.flow.settings import load_settings
from server.flow.status import FlowError, StatusCode
from tests.flow.graph.helpers import UNITS, graph_file

GOOD_DOT = "digraph g { a[flowunit=source] b[flowunit=sink] a:o->b:i }"


def refused(source: str, format: str = "auto") -> FlowError:
    with pytest.raises(FlowError) as caught:
        compile_graph(source, format, units=UNITS)
    return caught.value


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        pytest.param("a.json", "", "json", id="1.1-extension-json"),
        pytest.param("a.toml", "{}", "toml", id="1.1-extension-toml"),
        pytest.param("dir.json/a", " \n{}", "json", id="1.1-extension-is-after-the-last-dot-of-the-path"),
        pytest.param("a", " \n {}", "json", id="1.1-first-non-blank-brace"),
        pytest.param("a.txt", "[graph]", "toml", id="1.1-otherwise-toml"),
        pytest.param("", "\ufeff{}", "json", id="1.1-byte-order-mark"),
    ],
)
def test_format_detection(name: str, text: str, expected: str) -> None:
    assert detect_format(name, text) == expected


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        pytest.param('a = "x"', {"a": "x"}, id="1.2-string"),
        pytest.param("a = 8", {"a": "8"}, id="1.2-integer"),
        pytest.param("a = 0x10", {"a": "16"}, id="1.2-integer-hex"),
        pytest.param("a = 0.5", {"a": "0.5"}, id="1.2-float"),
        pytest.param("a = true\nb = false", {"a": "true", "b": "false"}, id="1.2-bool"),
        pytest.param("a = 1979-05-27", {"a": "1979-05-27"}, id="1.2-date"),
        pytest.param("a = 1979-05-27T07:32:00Z", {"a": "1979-05-27T07:32:00Z"}, id="1.2-date-and-time"),
        pytest.param("[a.b]\nc = 1", {"a.b.c": "1"}, id="1.2-table"),
        pytest.param('a = ["x", "y"]', {"a": "x\x03y"}, id="1.2-array"),
        pytest.param("a = []", {"a": ""}, id="1.2-empty-array"),
        pytest.param('"a.b" = 1', {"a.b": "1"}, id="1.2-quoted-dot-equals-nesting"),
        pytest.param(
            "skip-default = 1\nskip_default = 2", {"skip-default": "1", "skip_default": "2"}, id="1.2-dash"
        ),
        pytest.param("A = 1\na = 2", {"A": "1", "a": "2"}, id="1.2-case-sensitive"),
        pytest.param('a = "${HOME}"', {"a": "${HOME}"}, id="1.3-no-environment"),
        pytest.param('a = "@X@"', {"a": "@X@"}, id="1.3-no-macros"),
    ],
)
def test_toml_values(toml: str, expected: dict[str, str]) -> None:
    assert load_settings(toml, "toml") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param('{"a": null, "b": 1}', {"b": "1"}, id="1.2-json-null-drops-the-key"),
        pytest.param('{"a": {}, "b": "x"}', {"b": "x"}, id="1.2-json-empty-object-drops-the-key"),
        pytest.param('{"a": ["x", "y"]}', {"a": "x\x03y"}, id="1.2-json-array"),
        pytest.param(
            '{"a": {"b": true, "c": -3, "d": 0.5}}', {"a.b": "true", "a.c": "-3", "a.d": "0.5"}, id="1.2-json"
        ),
        pytest.param('{"a": 1, "a": 2}', {"a": "2"}, id="json-last-duplicate-wins"),
        pytest.param("\n\ufeff{}"[1:], {}, id="json-byte-order-mark"),
    ],
)
def test_json_values(text: str, expected: dict[str, str]) -> None:
    assert load_settings(text) == expected


def test_large_json_integers_keep_their_value() -> None:
    """ModelBox wraps them to 32 bits (spec 1.2). That loses what the user wrote, and serves nobody."""
    assert load_settings('{"a": 5000000000}') == {"a": "5000000000"}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a = [1, 2]", id="1.2-array-of-integers"),
        pytest.param("a = [true]", id="1.2-array-of-bools"),
        pytest.param("a = [{b = 1}]", id="1.2-array-of-tables"),
        pytest.param('a = [["x"]]', id="1.2-array-of-arrays"),
        pytest.param('{"a": [1]}', id="1.2-json-array-of-integers"),
        pytest.param('{"a": [null]}', id="1.2-json-array-of-nulls"),
    ],
)
def test_arrays_hold_strings_only(text: str) -> None:
    error = refused(text)
    assert "array 'a' may hold strings only, but element 1" in str(error)


def test_1_1_malformed_toml() -> None:
    error = refused('[graph]\nformat = "graphviz')
    assert error.code is StatusCode.FAULT
    assert error.messages[0].startswith("Load config file failed, detail: ")
    assert "at line 2, column" in str(error) or "at end of document" in str(error)


def test_1_1_malformed_json() -> None:
    error = refused('{"graph":\n {,}}')
    assert (error.code, error.messages[0]) == (StatusCode.BADCONF, "invalid graph")
    assert "line 2, column 3" in error.messages[1]


@pytest.mark.parametrize("text", ["", "  \n "])
def test_1_1_empty_text(text: str) -> None:
    error = refused(text)
    assert (error.code, error.messages[0]) == (StatusCode.NOTSUPPORT, "unknown file format")


def test_unknown_format_argument() -> None:
    assert refused("a = 1", "yaml").code is StatusCode.NOTSUPPORT


@pytest.mark.parametrize(
    "text",
    [
        "a=" + "[" * 50_000,
        "a=" + "{a=" * 50_000,
        ".".join("a" * 5_000) + " = 1",
        '{"a":' * 50_000,
        '{"a":' + "[" * 50_000,
    ],
    ids=["toml-arrays", "toml-tables", "toml-dotted-key", "json-objects", "json-arrays"],
)
def test_deep_nesting_is_refused(text: str) -> None:
    refused(text)


@pytest.mark.parametrize("text", ['{"a": "\\ud800"}', '{"\\ud800": 1}', '{"a": "\\u0000"}', 'a = "\\u0000"'])
def test_text_that_no_database_takes_is_refused(text: str) -> None:
    assert "holds a" in str(refused(text))


@pytest.mark.parametrize("text", ['{"a": NaN}', '{"a": 1' + "1" * 5_000 + "}", "a = 1" + "1" * 5_000])
def test_numbers_beyond_json_and_toml_are_refused(text: str) -> None:
    refused(text)


@pytest.mark.parametrize(
    ("graph", "code", "message"),
    [
        pytest.param({}, StatusCode.BADCONF, "graph.format is empty", id="1.4-graph.format-missing"),
        pytest.param({"format": ""}, StatusCode.BADCONF, "graph.format is empty", id="1.4-graph.format-empty"),
        pytest.param(
            {"format": "yaml"},
            StatusCode.NOTSUPPORT,
            "Graph format not supported, support type:graphviz",
            id="1.4-graph.format-other",
        ),
        pytest.param(
            {"format": "graphviz"},
            StatusCode.NOTFOUND,
            "graph config path is null.",
            id="1.4-graph.graphconf-missing",
        ),
        pytest.param(
            {"format": "graphviz", "graphconf": []},
            StatusCode.NOTFOUND,
            "graph config path is null.",
            id="1.4-graph.graphconf-empty-list",
        ),
    ],
)
def test_graph_table(graph: dict[str, object], code: StatusCode, message: str) -> None:
    error = refused(json.dumps({"graph": graph, "x": "y"}))
    assert (error.code, error.messages[:2]) == (code, ("load graph failed.", message))


def test_1_4_graphconf_as_a_list_is_joined_by_lines() -> None:
    lines = ["digraph g { // a comment ends with its line", "a[flowunit=source] b[flowunit=sink]", "a:o->b:i", "}"]
    source = json.dumps({"graph": {"format": "graphviz", "graphconf": lines}})
    assert compile_graph(source, units=UNITS).name == "g"


def test_1_4_graphconffilepath(tmp_path: Path) -> None:
    (tmp_path / "g.dot").write_text(GOOD_DOT)
    source = json.dumps({"graph": {"format": "graphviz", "graphconffilepath": str(tmp_path / "g.dot")}})
    assert len(compile_graph(source, units=UNITS).nodes) == 2


def test_1_4_graphconffilepath_is_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "g.dot").write_text(GOOD_DOT)
    monkeypatch.chdir(tmp_path)
    source = json.dumps({"graph": {"format": "graphviz", "graphconffilepath": "g.dot"}})
    assert len(compile_graph(source, units=UNITS).nodes) == 2


def test_1_4_graphconf_goes_before_graphconffilepath() -> None:
    assert compile_graph(graph_file(GOOD_DOT, graphconffilepath="/no/such.dot"), units=UNITS).name == "g"


@pytest.mark.parametrize("path", ["/no/such.dot", "/", "/dev/zero"])
def test_1_1_unreadable_dot_file(path: str) -> None:
    error = refused(json.dumps({"graph": {"format": "graphviz", "graphconffilepath": path}}))
    assert error.code is StatusCode.BADCONF
    assert error.messages[1].startswith(f"read file {path} failed, ")


@pytest.mark.parametrize("value", [False, "false", 0, "0"])
def test_1_4_flow_enable_false(value: object) -> None:
    source = json.dumps({"flow": {"enable": value}, "graph": {"format": "graphviz", "graphconf": GOOD_DOT}})
    assert str(refused(source)).startswith("Operation not permitted, flow is disabled")


@pytest.mark.parametrize("value", [True, "true", 1, "yes", "False"])
def test_1_2_bools_that_are_not_false_leave_the_default(value: object) -> None:
    source = json.dumps({"flow": {"enable": value}, "graph": {"format": "graphviz", "graphconf": GOOD_DOT}})
    assert compile_graph(source, units=UNITS).name == "g"


@pytest.mark.parametrize("folder", ["/bin", "/etc/x", "/proc", "/var/tmp"])
def test_1_4_profile_dir_in_a_forbidden_place(folder: str) -> None:
    error = refused(
        json.dumps({"profile": {"dir": folder}, "graph": {"format": "graphviz", "graphconf": GOOD_DOT}})
    )
    assert error.messages[0] == "Initial profiler failed."


def test_1_4_other_keys_are_kept_for_the_run_and_unknown_ones_ignored() -> None:
    graph = {
        "thread-num": 4,
        "max-thread-num": "8",
        "max_executor_thread_num": 2,
        "queue_size": 1,
        "batch_size": 1,
    }
    source = json.dumps(
        {
            "graph": {"format": "graphviz", "graphconf": GOOD_DOT, **graph},
            "flow": {"name": "n", "desc": "d"},
            "log": {"level": "nonsense"},
            "profile": {"profile": False},
            "unknown": {"key": 1},
        }
    )
    plan = compile_graph(source, units=UNITS)
    assert plan.settings["graph.thread-num"] == "4"
    assert plan.settings["flow.name"] == "n"
    assert "queue_size" not in plan.nodes[0].options, "graph.queue_size is not read from TOML (spec 1.4)"


MINIMAL = '''
[driver]
dir = ["{folder}"]
skip-default = true
[flow]
name = "Echo"
[graph]
format = "graphviz"
graphconf = """digraph echo {{
  queue_size = 64                  // default for every node
  rx[type=flowunit, flowunit=httpserver_sync_receive, device=cpu, endpoint="http://0.0.0.0:9000"]
  up[type=flowunit, flowunit=upper, device=cpu, batch_size=4]
  tx[type=flowunit, flowunit=httpserver_sync_reply, device=cpu, content_type=json]
  rx:out_request_info -> up:in_1
  up:out_1 -> tx:in_reply_info
}}"""
'''


def test_1_5_minimal_file_and_its_json_twin(tmp_path: Path) -> None:
    (tmp_path / "upper").mkdir()
    (tmp_path / "upper" / "upper.toml").write_text(
        '[base]\nname="upper"\ndevice="cpu"\nversion="1.0.0"\ndescription="d"\ntype="python"\nentry="upper@Upper"\n'
        'stream=false\n[input.input1]\nname="in_1"\n[output.output1]\nname="out_1"\n'
    )
    plan = compile_graph(MINIMAL.format(folder=tmp_path))
    dot = plan.settings["graph.graphconf"]
    twin = json.dumps(
        {
            "driver": {"dir": [str(tmp_path)], "skip-default": True},
            "flow": {"name": "Echo"},
            "graph": {"format": "graphviz", "graphconf": dot},
        }
    )
    assert compile_graph(twin).nodes == plan.nodes
    assert [each.name for each in plan.nodes] == ["rx", "up", "tx"]
    assert plan.nodes[0].options["queue_size"] == "64"


ARGS = '[args.port]\ndefault = "8080"\n[args.path]\ndesc = "where"\n'


def with_args(dot: str) -> str:
    return f"[graph]\nformat = 'graphviz'\ngraphconf = '{dot}'\n{ARGS}"


ARGS_DOT = (
    'digraph g { a[flowunit=source, p="$port", q="$path", r="$other", s="x$port"] b[flowunit=sink] a:o->b:i }'
)


def test_1_5_args_replace_whole_values() -> None:
    options = compile_graph(with_args(ARGS_DOT), units=UNITS, args={"path": "/x"}).nodes[0].options
    assert [options[key] for key in "pqrs"] == ["8080", "/x", "$other", "x$port"]


def test_1_5_args_without_a_value_and_a_default_stay() -> None:
    assert compile_graph(with_args(ARGS_DOT), units=UNITS, args={"port": "1"}).nodes[0].options["q"] == "$path"


def test_1_4_args_are_left_alone_without_init_by_name() -> None:
    assert compile_graph(with_args(ARGS_DOT), units=UNITS).nodes[0].options["p"] == "$port"


def test_1_5_args_must_be_declared() -> None:
    with pytest.raises(FlowError, match="did you mean 'port'") as caught:
        compile_graph(with_args(ARGS_DOT), units=UNITS, args={"prt": "1"})
    assert caught.value.code is StatusCode.FAULT
