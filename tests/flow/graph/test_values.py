"""Spec 1.2, typed reads. Graph keys, node attributes and unit configurations all read this way."""

import logging

import pytest

from server.flow import values


@pytest.mark.parametrize(("text", "expected"), [("true", True), ("1", True), ("false", False), ("0", False)])
def test_bools(text: str, expected: bool) -> None:
    assert values.get_bool({"k": text}, "k", not expected) is expected


@pytest.mark.parametrize("text", ["False", "TRUE", "yes", "", "2", " 1"])
@pytest.mark.parametrize("default", [True, False])
def test_a_bad_bool_is_logged_and_gives_the_default(
    text: str, default: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        assert values.get_bool({"k": text}, "k", default) is default
    assert f"Convert [k : {text}] to bool failed, invalid" in caplog.text


@pytest.mark.parametrize(
    ("text", "expected"), [("8", 8), ("-3", -3), ("+3", 3), (" 5", 5), ("9223372036854775807", 2**63 - 1)]
)
def test_ints(text: str, expected: int) -> None:
    assert values.get_int({"k": text}, "k", 77) == expected


@pytest.mark.parametrize("text", ["5 ", "3.5", "abc", "", "0x10", "9223372036854775808", "٣", "1_000", "1" * 5000])
def test_a_bad_int_gives_the_default(text: str) -> None:
    assert values.get_int({"k": text}, "k", 77) == 77


def test_an_int_out_of_range_gives_the_default() -> None:
    assert values.get_int({"k": "-1"}, "k", 77, values.UINT32) == 77
    assert values.get_int({"k": "4294967296"}, "k", 77, values.UINT32) == 77
    assert values.get_int({"k": "2147483648"}, "k", 77, values.INT32) == 77


@pytest.mark.parametrize(
    ("text", "expected"), [("0.5", 0.5), ("3", 3.0), ("-1e3", -1000.0), (".5", 0.5), ("1.", 1.0)]
)
def test_floats(text: str, expected: float) -> None:
    assert values.get_float({"k": text}, "k", 7.5) == expected


@pytest.mark.parametrize("text", ["0.5x", "", "1_0.0", "0.5 ", "e5"])
def test_a_bad_float_gives_the_default(text: str) -> None:
    assert values.get_float({"k": text}, "k", 7.5) == 7.5


def test_missing_keys_give_the_default() -> None:
    assert values.get_string({}, "k", "d") == "d"
    assert values.get_bool({}, "k", True) is True
    assert values.get_int({}, "k", 5) == 5
    assert values.get_float({}, "k", 0.5) == 0.5
    assert values.get_string_list({}, "k", ["d"]) == ["d"]


def test_lists() -> None:
    stored = {"s": "a\x03b", "i": "1\x032", "f": "0.5\x032", "b": "true\x030", "one": "x", "empty": ""}
    assert values.get_string_list(stored, "s") == ["a", "b"]
    assert values.get_int_list(stored, "i") == [1, 2]
    assert values.get_float_list(stored, "f") == [0.5, 2.0]
    assert values.get_bool_list(stored, "b") == [True, False]
    assert values.get_string_list(stored, "one") == ["x"], "a scalar is a list of one"
    assert values.get_string_list(stored, "empty", ["d"]) == [], "an empty string is an empty list"


def test_one_bad_element_gives_the_whole_default_list() -> None:
    assert values.get_int_list({"k": "1\x03x"}, "k", [7]) == [7]


def test_a_list_read_as_a_string_shows_its_separator() -> None:
    assert values.get_string({"k": "a\x03b"}, "k") == "a\x03b"
