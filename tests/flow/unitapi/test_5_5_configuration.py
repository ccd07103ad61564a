"""Spec 5.5: Configuration, with the typed reads of 1.2."""

from typing import Any

import pytest

from server.flow.unitapi import Configuration


def having(value: object) -> Configuration:
    config = Configuration()
    config.set("k", value)
    return config


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        ("get_string", ""),
        ("get_bool", False),
        ("get_int", 0),
        ("get_float", 0.0),
        ("get_string_list", []),
        ("get_bool_list", []),
        ("get_int_list", []),
        ("get_float_list", []),
    ],
)
def test_5_5_defaults(read: str, expected: object) -> None:
    assert getattr(Configuration(), read)("missing") == expected


@pytest.mark.parametrize(
    ("read", "default"),
    [
        ("get_string", "d"),
        ("get_bool", True),
        ("get_int", 7),
        ("get_float", 0.5),
        ("get_string_list", ["d"]),
        ("get_bool_list", [True]),
        ("get_int_list", [7]),
        ("get_float_list", [0.5]),
    ],
)
def test_5_5_keyword_names(read: str, default: object) -> None:
    assert getattr(Configuration(), read)(key="missing", default=default) == default


@pytest.mark.parametrize("default", [(7, 8), [7, 8]])
def test_5_5_a_list_s_result_is_a_list(default: Any) -> None:
    assert Configuration().get_int_list("missing", default) == [7, 8]


@pytest.mark.parametrize(
    ("stored", "read", "expected"),
    [
        ("text", "get_string", "text"),
        (True, "get_bool", True),
        (True, "get_string", "1"),
        (False, "get_string", "0"),
        (True, "get_int", 1),
        (12, "get_int", 12),
        (-(2**63), "get_int", -(2**63)),
        (12, "get_string", "12"),
        (12, "get_float", 12.0),
        (0.1, "get_float", 0.1),
        (0.1, "get_string", "0.1"),
        (1 / 3, "get_string", "0.333333333333333"),
        ("3.5", "get_int", -1),
        ("5 ", "get_int", -1),
        ("3", "get_float", 3.0),
        ("yes", "get_bool", True),
        ("False", "get_bool", True),
        ("false", "get_bool", False),
        (["a", "b"], "get_string_list", ["a", "b"]),
        ([1, 2], "get_int_list", [1, 2]),
        ([True, False], "get_bool_list", [True, False]),
        ([0.5, 1.5], "get_float_list", [0.5, 1.5]),
        (("a", "b"), "get_string_list", ["a", "b"]),
        ("one", "get_string_list", ["one"]),
        ("", "get_string_list", []),
        (["1", "x"], "get_int_list", [9]),
    ],
)
def test_5_5_what_is_set_is_read(stored: object, read: str, expected: object) -> None:
    default: Any = {"get_int": -1, "get_bool": True, "get_int_list": [9]}.get(read)
    arguments = ("k",) if default is None else ("k", default)
    assert getattr(having(stored), read)(*arguments) == expected


@pytest.mark.parametrize("value", [None, object(), {}, {"a": 1}, [], (), [[1]], [1, "a"], [None], b"x"])
def test_5_5_set_of_anything_else(value: object) -> None:
    with pytest.raises(ValueError, match=r"^invalid data type"):
        having(value)


@pytest.mark.parametrize(
    ("read", "default"),
    [
        ("get_string", 1),
        ("get_string", None),
        ("get_bool", 1),
        ("get_bool", "true"),
        ("get_int", "1"),
        ("get_int", 1.5),
        ("get_float", "1"),
        ("get_int_list", ["1"]),
        ("get_string_list", "abc"),
        ("get_bool_list", [1]),
        ("get_float_list", ["x"]),
    ],
)
def test_5_5_defaults_of_the_wrong_type(read: str, default: object) -> None:
    with pytest.raises(TypeError):
        getattr(having("x"), read)("k", default)


def test_5_5_numpy_numbers_are_numbers() -> None:
    import numpy as np

    assert having(np.int64(5)).get_int("k") == 5
    assert having(np.float64(0.5)).get_float("k") == 0.5


@pytest.mark.parametrize("name", ["contains", "keys"])
def test_5_5_what_there_is_not(name: str) -> None:
    assert not hasattr(Configuration(), name)
