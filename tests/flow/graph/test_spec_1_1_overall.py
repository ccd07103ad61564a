"""Spec 1.1: a graph file is TOML or JSON, and becomes a flat map of strings."""

import json
from pathlib import Path

import pytest

from server.flow.graph import compile_graph, detect_format
from server.flow.sdk import Flow
from server.flow.settings import load_settings
from server.flow.status import FlowError, StatusCode
from tests.flow.graph.helpers import UNITS

GOOD = {
    "graph": {
        "format": "graphviz",
        "graphconf": "digraph g { a[flowunit=source] b[flowunit=sink] a:o->b:i }",
        "strict": False,
    }
}


def refused(source: str, format: str = "auto") -> FlowError:
    with pytest.raises(FlowError) as caught:
        compile_graph(source, format, units=UNITS)
    return caught.value


def test_1_1_toml_and_json_give_the_same_flat_map() -> None:
    toml = '[graph]\nformat = "graphviz"\nstrict = false\n[driver]\ndir = ["/a", "/b"]'
    assert load_settings(toml) == {"graph.format": "graphviz", "graph.strict": "false", "driver.dir": "/a\x03/b"}
    same = {"graph": {"format": "graphviz", "strict": False}, "driver": {"dir": ["/a", "/b"]}}
    assert load_settings(json.dumps(same)) == load_settings(toml)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        pytest.param("a.json", "", "json", id="extension-json"),
        pytest.param("a.toml", "{}", "toml", id="extension-toml"),
        pytest.param("dir.json/a", " \n{}", "json", id="extension-is-after-the-last-dot-of-the-path"),
        pytest.param("a", " \n {}", "json", id="first-non-blank-brace"),
        pytest.param("a.txt", "[graph]", "toml", id="otherwise-toml"),
        pytest.param("", "\ufeff{}", "json", id="byte-order-mark"),
    ],
)
def test_1_1_format_of_a_file(name: str, text: str, expected: str) -> None:
    assert detect_format(name, text) == expected


@pytest.mark.parametrize("format", ["auto", "toml", "json"])
def test_1_1_a_string_that_begins_with_a_brace_is_json_whatever_the_format_says(format: str) -> None:
    assert compile_graph(json.dumps(GOOD), format, units=UNITS).name == "g"


@pytest.mark.parametrize("before", [" ", "\n\n", "\ufeff"])
def test_1_1_blanks_before_the_brace_of_a_string(before: str) -> None:
    """Deviation: ModelBox looks at character 0 alone, and takes such JSON for TOML. Nobody wants that."""
    assert compile_graph(before + json.dumps(GOOD), units=UNITS).name == "g"


@pytest.mark.parametrize("text", ["", "  \n "])
def test_1_1_empty_string(text: str) -> None:
    error = refused(text)
    assert (error.code, error.messages[0]) == (StatusCode.NOTSUPPORT, "unknown file format")


def test_1_1_malformed_toml() -> None:
    error = refused('[graph]\nformat = "graphviz')
    assert error.code is StatusCode.FAULT
    assert error.messages[0].startswith("Load config file failed, detail: ")
    assert str(error).endswith("(at line 2, the end of the document)")
    assert "(at line 2, column 3)" in str(refused("[graph]\na b = 1"))


def test_1_1_malformed_json_in_a_string() -> None:
    error = refused('{"graph":\n {,}}')
    assert (error.code, error.messages[0]) == (StatusCode.BADCONF, "invalid graph")
    assert "line 2, column 3" in error.messages[1]


def test_1_1_malformed_json_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "g.json").write_text('{"graph":\n {,}}')
    text = Flow().init(str(tmp_path / "g.json")).wrap_errormsgs()
    assert text.startswith("Bad config, json file is invalid. -> ")
    assert "line 2, column 3" in text
    assert text.endswith(f"{tmp_path}/g.json")


def test_1_1_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    text = Flow().init(str(path)).wrap_errormsgs()
    assert text == f"Bad config, read file {path} failed, No such file or directory"


def test_an_unknown_format_is_refused() -> None:
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
    """Deviation: it is the end of a ModelBox server (design 6)."""
    refused(text)


@pytest.mark.parametrize("text", ['{"a": "\\ud800"}', '{"\\ud800": 1}', '{"a": "\\u0000"}', 'a = "\\u0000"'])
def test_text_that_no_database_takes_is_refused(text: str) -> None:
    assert "holds a" in str(refused(text))
