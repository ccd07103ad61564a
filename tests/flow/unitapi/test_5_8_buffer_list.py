"""Spec 5.8: BufferList; 4.2 for copy_meta."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from server.flow.unitapi import Buffer, BufferList, DataType, Device, UnitStatusCode
from tests.flow.unitapi.fakes import Source, context, external_of

CPU = Device("cpu", "0")


def texts(buffers: BufferList) -> list[str]:
    return [str(buffer) for buffer in buffers]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param((), [], id="nothing"),
        pytest.param((CPU,), [], id="device"),
        pytest.param((Buffer(CPU, "a"),), ["a"], id="buffer"),
        pytest.param(([Buffer(CPU, "a"), Buffer(CPU, "b")],), ["a", "b"], id="list"),
    ],
)
def test_5_8_constructors(source: tuple[Any, ...], expected: list[str]) -> None:
    buffers = BufferList(*source)
    assert (texts(buffers), buffers.size(), len(buffers)) == (expected, len(expected), len(expected))


def test_5_8_build_and_get_bytes() -> None:
    buffers = BufferList(CPU)
    buffers.push_back("gone")
    assert buffers.build([2, 0, 3])
    assert [buffer.as_bytes() for buffer in buffers] == [b"\0\0", b"", b"\0\0\0"]
    assert buffers.get_bytes() == 5
    np.asarray(buffers[0])[1] = 7
    assert buffers[0].as_bytes() == b"\0\7"  # type: ignore[union-attr]


def test_5_8_get_device() -> None:
    assert BufferList(CPU).get_device() is CPU
    assert BufferList().get_device() is None


@pytest.mark.parametrize(
    ("item", "kept"),
    [
        pytest.param("text", "text", id="str"),
        pytest.param(b"ab", [97, 98], id="bytes"),
        pytest.param(np.array([[1], [2]], np.int32), [1, 2], id="numpy"),
        pytest.param(Buffer(CPU, "b"), "b", id="Buffer"),
    ],
)
def test_5_8_push_back(item: Any, kept: Any) -> None:
    buffers = BufferList(CPU)
    assert buffers.push_back(item) is None  # type: ignore[func-returns-value]
    found = buffers[0].as_object()  # type: ignore[union-attr]
    assert (found if isinstance(found, str) else found.tolist()) == kept


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(lambda: context().output("out_1"), id="output"),
        pytest.param(lambda: external_of(Source()).create_buffer_list(), id="create_buffer_list"),
    ],
)
def test_5_8_the_lists_that_units_fill_take_text_and_arrays(made: Callable[[], BufferList]) -> None:
    buffers = made()
    buffers.push_back("text")
    buffers.push_back(np.zeros(2, np.int16))
    assert buffers.get_bytes() == 8


def test_5_8_what_is_pushed_is_a_copy() -> None:
    original = Buffer(CPU, "a")
    buffers = BufferList(CPU)
    buffers.push_back(original)
    buffers.push_back(original)
    original.set("k", 1)
    original.set_error("E", "e")
    assert not any(buffer.has_error() for buffer in buffers)
    with pytest.raises(ValueError, match="can not find buffer meta: k"):
        buffers[1].get("k")  # type: ignore[union-attr]


@pytest.mark.parametrize("wrong", [5, object(), 1.5])
def test_5_8_push_back_of_anything_else(wrong: object) -> None:
    with pytest.raises(TypeError):
        BufferList(CPU).push_back(wrong)


def test_5_8_push_back_without_a_device() -> None:
    """Deviation: ModelBox needs a device for text and arrays."""
    buffers = BufferList()
    buffers.push_back("a")
    assert texts(buffers) == ["a"]


def test_5_8_set_and_set_error_are_for_all() -> None:
    buffers = BufferList([Buffer(CPU, "a"), Buffer(CPU, "b")])
    buffers.set("k", 1)
    assert [buffer.get("k") for buffer in buffers] == [1, 1]
    buffers.set_error("E", "m")
    assert [(b.get_error_code(), b.get_error_msg(), b.get_bytes()) for b in buffers] == [("E", "m", 0)] * 2


def test_5_8_front_and_back() -> None:
    buffers = BufferList([Buffer(CPU, "a"), Buffer(CPU, "b")])
    assert (str(buffers.front()), str(buffers.back())) == ("a", "b")


def test_5_8_front_and_back_of_nothing() -> None:
    """Undefined in ModelBox."""
    assert (BufferList().front(), BufferList().back()) == (None, None)


def test_5_8_copy_meta() -> None:
    mine, theirs = BufferList([Buffer(CPU, "a")]), BufferList([Buffer(CPU, b"a")])
    assert mine.copy_meta(theirs)
    assert mine[0].get("type") is DataType.UINT8  # type: ignore[union-attr]


def test_4_2_copy_meta_of_another_length() -> None:
    assert BufferList().copy_meta(BufferList([Buffer(CPU)])).code() is UnitStatusCode.STATUS_FAULT


def test_5_8_index() -> None:
    buffers = BufferList([Buffer(CPU, "a"), Buffer(CPU, "b")])
    assert (str(buffers[1]), str(buffers[np.int64(0)])) == ("b", "a")  # type: ignore[index]
    assert buffers[2] is None


@pytest.mark.parametrize("index", [-1, slice(0, 1), "0", 1.0])
def test_5_8_no_other_index(index: Any) -> None:
    with pytest.raises(TypeError):
        BufferList([Buffer(CPU, "a")])[index]
