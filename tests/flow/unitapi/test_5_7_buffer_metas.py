"""Spec 5.7: Buffer, its metas and its errors; the numbers of element types."""

from typing import Any

import numpy as np
import pytest

from server.flow.unitapi import Buffer, DataType, Device

CPU = Device("cpu", "0")
ARRAY = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize(
    "value",
    [
        1.5,
        DataType.INT8,
        "text",
        True,
        7,
        [1.5],
        ["a"],
        [True],
        [7],
        [[1.5], [2.5]],
        [["a"]],
        [[True]],
        [[1, 2], [3]],
        {"a": 1},
        (1, 2),
        None,
        [],
    ],
)
def test_5_7_metas(value: object) -> None:
    """Each kind comes back as what it was. Maps too: ModelBox cannot read what its HTTP units set as `headers`."""
    buffer = Buffer(CPU)
    assert buffer.set("k", value) is None  # type: ignore[func-returns-value]
    assert buffer.get("k") == value
    assert type(buffer.get("k")) is type(value)


@pytest.mark.parametrize("value", [object(), {"a": 1}, (1, [2]), [], [{"x": 1}], [None, 1], [[]]])
def test_5_7_any_other_object_is_kept_by_reference(value: object) -> None:
    buffer = Buffer(CPU)
    buffer.set("k", value)
    assert Buffer(buffer).get("k") is value


def test_5_7_lists_are_kept_by_value() -> None:
    mine = [[1, 2], [3, 4]]
    buffer = Buffer(CPU)
    buffer.set("k", mine)
    mine[0][0] = 99
    buffer.get("k")[1].append(5)
    assert buffer.get("k") == [[1, 2], [3, 4]]


@pytest.mark.parametrize("source", [ARRAY, b"ab", bytearray(b"ab")])
def test_5_7_arrays_as_metas_are_copied_with_their_shape(source: Any) -> None:
    buffer = Buffer(CPU)
    buffer.set("k", source)
    found = buffer.get("k")
    assert isinstance(found, np.ndarray)
    assert np.array_equal(found, np.asarray(memoryview(source)))
    assert found.shape == np.asarray(memoryview(source)).shape
    assert not np.shares_memory(found, np.asarray(memoryview(source)))


def test_5_7_missing_metas() -> None:
    with pytest.raises(ValueError, match=r"^can not find buffer meta: K$"):
        Buffer(CPU).get("K")


def test_5_7_names_of_metas_are_text() -> None:
    with pytest.raises(TypeError):
        Buffer(CPU).set(5, 1)  # type: ignore[arg-type]


def test_5_7_copy_meta_adds_what_is_missing() -> None:
    mine, theirs = Buffer(CPU), Buffer(CPU)
    mine.set("a", 1)
    theirs.set("a", 2)
    theirs.set("b", 3)
    assert mine.copy_meta(theirs) is None  # type: ignore[func-returns-value]
    assert (mine.get("a"), mine.get("b")) == (1, 3)


def test_5_7_errors() -> None:
    buffer = Buffer(CPU, b"abc")
    assert (buffer.has_error(), buffer.get_error_code(), buffer.get_error_msg()) == (False, "", "")
    buffer.set_error("Code", "message")
    assert (buffer.has_error(), buffer.get_error_code(), buffer.get_error_msg()) == (True, "Code", "message")
    assert buffer.get_bytes() == 0
    assert buffer.as_object().size == 0  # type: ignore[union-attr]
    assert np.asarray(buffer).size == 0


def test_5_7_an_error_buffer_of_text() -> None:
    buffer = Buffer(CPU, "text")
    buffer.set_error("Code", "message")
    with pytest.raises(RuntimeError, match=r"can not get buffer data\."):
        buffer.as_object()


@pytest.mark.parametrize("name", ["get_error", "get_device", "set_type", "copy", "deep_copy"])
def test_5_7_what_there_is_not(name: str) -> None:
    assert not hasattr(Buffer(CPU), name)


@pytest.mark.parametrize("key", ["width", "index"])
def test_5_7_any_integer_is_an_integer(key: str) -> None:
    """In ModelBox the units in C++ need a certain width of it; here there is one kind."""
    buffer = Buffer(CPU)
    buffer.set(key, np.int32(640))
    assert buffer.get(key) == 640


@pytest.mark.parametrize(
    ("name", "number"),
    [
        *[("FLOAT", 1), ("DOUBLE", 2), ("INT32", 3), ("UINT8", 4), ("INT16", 5), ("INT8", 6), ("INT64", 9)],
        *[("BOOL", 10), ("UINT16", 17), ("UINT32", 22), ("UINT64", 23)],
    ],
)
def test_5_7_data_types(name: str, number: int) -> None:
    assert Buffer.ModelBoxDataType[name] == number
    assert getattr(Buffer, name) is Buffer.ModelBoxDataType[name]
