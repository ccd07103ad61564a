"""Spec 1.2: values of TOML and JSON into strings, and strings into what a key needs.

Graph keys, node attributes and unit configurations all read this way.
"""

import json
import logging

import pytest

from server.flow import values
from server.flow.graph import compile_graph
from server.flow.settings import load_settings
from server.flow.status import FlowError, StatusCode
from tests.flow.graph.helpers import UNITS

GOOD_DOT = "digraph g { a[flowunit=source] b[flowunit=sink] a:o->b:i }"


def refused(source: str) -> FlowError:
    with pytest.raises(FlowError) as caught:
        compile_graph(source, units=UNITS)
    return caught.value


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        pytest.param('a = "x"', {"a": "x"}, id="string"),
        pytest.param("a = 8", {"a": "8"}, id="integer"),
        pytest.param("a = 0x10", {"a": "16"}, id="integer-hex"),
        pytest.param("a = 0.5", {"a": "0.5"}, id="float"),
        pytest.param("a = true\nb = false", {"a": "true", "b": "false"}, id="bool"),
        pytest.param("a = 1979-05-27", {"a": "1979-05-27"}, id="date"),
        pytest.param("a = 1979-05-27T07:32:00Z", {"a": "1979-05-27T07:32:00Z"}, id="date-and-time"),
        pytest.param("[a.b]\nc = 1", {"a.b.c": "1"}, id="table"),
        pytest.param('a = ["x", "y"]', {"a": "x\x03y"}, id="array"),
        pytest.param("a = []", {"a": ""}, id="empty-array"),
        pytest.param('"a.b" = 1', {"a.b": "1"}, id="quoted-dot-equals-nesting"),
        pytest.param("skip-default = 1\nskip_default = 2", {"skip-default": "1", "skip_default": "2"}, id="dash"),
        pytest.param("A = 1\na = 2", {"A": "1", "a": "2"}, id="case-sensitive"),
    ],
)
def test_1_2_toml_value(toml: str, expected: dict[str, str]) -> None:
    assert load_settings(toml, "toml") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param('{"a": null, "b": 1}', {"b": "1"}, id="json-null-drops-the-key"),
        pytest.param('{"a": {}, "b": "x"}', {"b": "x"}, id="json-empty-object-drops-the-key"),
        pytest.param('{"a": ["x", "y"]}', {"a": "x\x03y"}, id="json-array"),
        pytest.param(
            '{"a": {"b": true, "c": -3, "d": 0.5}}', {"a.b": "true", "a.c": "-3", "a.d": "0.5"}, id="json"
        ),
        pytest.param('{"a": 1, "a": 2}', {"a": "2"}, id="json-last-duplicate-wins"),
        pytest.param("\n\ufeff{}"[1:], {}, id="json-byte-order-mark"),
    ],
)
def test_1_2_json_value(text: str, expected: dict[str, str]) -> None:
    assert load_settings(text) == expected


def test_1_2_large_json_integers_keep_their_value() -> None:
    """ModelBox wraps them to 32 bits (spec 1.2). That loses what the user wrote, and serves nobody."""
    assert load_settings('{"a": 5000000000}') == {"a": "5000000000"}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a = [1, 2]", id="array-of-integers"),
        pytest.param("a = [true]", id="array-of-bools"),
        pytest.param("a = [{b = 1}]", id="array-of-tables"),
        pytest.param('a = [["x"]]', id="array-of-arrays"),
        pytest.param('{"a": [1]}', id="json-array-of-integers"),
        pytest.param('{"a": [null]}', id="json-array-of-nulls"),
    ],
)
def test_1_2_every_element_of_an_array_must_be_a_string(text: str) -> None:
    """Deviation: told with the key and the remedy. ModelBox throws, and leaves a job behind that says nothing."""
    error = refused(text)
    assert "array 'a' may hold strings only, but element 1" in str(error)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[x]\nb = ["1"]\na = [1]\n', " (line 3)"),
        ('[x]\n"a" = [\n1\n]\n', " (line 2)"),
        ("[x]\na = [1]\n[y]\na = 2\n", ""),
        ('{"x":\n {"b": 1,\n "a" : [1]}}', " (line 3)"),
        ('{"x": {"a": [1]}}', ""),
    ],
    ids=["toml", "toml-quoted", "two-such-keys", "json", "one-line"],
)
def test_1_2_the_line_of_an_array_is_told_where_it_is_certain(text: str, line: str) -> None:
    assert str(refused(text)).endswith(f"write numbers and booleans in quotes{line}")


@pytest.mark.parametrize("text", ['{"a": NaN}', '{"a": 1' + "1" * 5_000 + "}", "a = 1" + "1" * 5_000])
def test_numbers_beyond_json_and_toml_are_refused(text: str) -> None:
    refused(text)


@pytest.mark.parametrize(("text", "expected"), [("true", True), ("1", True), ("false", False), ("0", False)])
def test_1_2_bool(text: str, expected: bool) -> None:
    assert values.get_bool({"k": text}, "k", not expected) is expected


@pytest.mark.parametrize("text", ["False", "TRUE", "yes", "", "2", " 1"])
@pytest.mark.parametrize("default", [True, False])
def test_1_2_a_bad_bool_is_logged_and_gives_the_default(
    text: str, default: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        assert values.get_bool({"k": text}, "k", default) is default
    assert f"Convert [k : {text}] to bool failed, invalid" in caplog.text


@pytest.mark.parametrize(
    ("text", "expected"), [("8", 8), ("-3", -3), ("+3", 3), (" 5", 5), ("9223372036854775807", 2**63 - 1)]
)
def test_1_2_int(text: str, expected: int) -> None:
    assert values.get_int({"k": text}, "k", 77) == expected


@pytest.mark.parametrize("text", ["5 ", "3.5", "abc", "", "0x10", "9223372036854775808", "٣", "1_000", "1" * 5000])
def test_1_2_a_bad_int_gives_the_default(text: str) -> None:
    assert values.get_int({"k": text}, "k", 77) == 77


def test_1_2_an_int_out_of_range_gives_the_default() -> None:
    assert values.get_int({"k": "-1"}, "k", 77, values.UINT32) == 77
    assert values.get_int({"k": "4294967296"}, "k", 77, values.UINT32) == 77
    assert values.get_int({"k": "2147483648"}, "k", 77, values.INT32) == 77


@pytest.mark.parametrize(
    ("text", "expected"), [("0.5", 0.5), ("3", 3.0), ("-1e3", -1000.0), (".5", 0.5), ("1.", 1.0)]
)
def test_1_2_float(text: str, expected: float) -> None:
    assert values.get_float({"k": text}, "k", 7.5) == expected


@pytest.mark.parametrize("text", ["0.5x", "", "1_0.0", "0.5 ", "e5"])
def test_1_2_a_bad_float_gives_the_default(text: str) -> None:
    assert values.get_float({"k": text}, "k", 7.5) == 7.5


def test_1_2_missing_keys_give_the_default() -> None:
    assert values.get_string({}, "k", "d") == "d"
    assert values.get_bool({}, "k", True) is True
    assert values.get_int({}, "k", 5) == 5
    assert values.get_float({}, "k", 0.5) == 0.5
    assert values.get_string_list({}, "k", ["d"]) == ["d"]


def test_1_2_list_reads() -> None:
    stored = {"s": "a\x03b", "i": "1\x032", "f": "0.5\x032", "b": "true\x030", "one": "x", "empty": ""}
    assert values.get_string_list(stored, "s") == ["a", "b"]
    assert values.get_int_list(stored, "i") == [1, 2]
    assert values.get_float_list(stored, "f") == [0.5, 2.0]
    assert values.get_bool_list(stored, "b") == [True, False]
    assert values.get_string_list(stored, "one") == ["x"], "a scalar is a list of one"
    assert values.get_string_list(stored, "empty", ["d"]) == [], "an empty string is an empty list"


def test_1_2_one_bad_element_gives_the_whole_default_list() -> None:
    assert values.get_int_list({"k": "1\x03x"}, "k", [7]) == [7]


@pytest.mark.parametrize("value", ["False", "yes", "", 2])
def test_1_2_what_is_no_bool_leaves_the_default_of_its_key(value: object) -> None:
    source = {"flow": {"enable": value}, "graph": {"format": "graphviz", "graphconf": GOOD_DOT}}
    assert compile_graph(json.dumps(source), units=UNITS).name == "g"


@pytest.mark.parametrize("value", [False, "false", 0, "0"])
def test_1_2_false_may_be_written_in_four_ways(value: object) -> None:
    source = {"flow": {"enable": value}, "graph": {"format": "graphviz", "graphconf": GOOD_DOT}}
    assert refused(json.dumps(source)).code is StatusCode.PERMIT


def test_1_2_unknown_keys_and_tables_are_ignored() -> None:
    source = {"graph": {"format": "graphviz", "graphconf": GOOD_DOT, "x": 1}, "unknown": {"key": {"deep": "2"}}}
    assert compile_graph(json.dumps(source), units=UNITS).name == "g"
