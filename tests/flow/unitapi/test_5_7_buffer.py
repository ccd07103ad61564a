"""Spec 5.7: Buffer; 4.1 for what copies share; 5.6 for Device."""

import sys
from array import array
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from server.flow.unitapi import Buffer, DataType, Device

CPU = Device("cpu", "0")
ARRAY = np.arange(6, dtype=np.float32).reshape(2, 3)
SOURCES: dict[str, tuple[Any, bytes, list[int], DataType]] = {
    "numpy": (ARRAY, ARRAY.tobytes(), [2, 3], DataType.FLOAT),
    "bytes": (b"abc", b"abc", [3], DataType.UINT8),
    "bytearray": (bytearray(b"abc"), b"abc", [3], DataType.UINT8),
    "memoryview": (memoryview(b"abc"), b"abc", [3], DataType.UINT8),
    "array": (array("h", [1, 2]), array("h", [1, 2]).tobytes(), [2], DataType.INT16),
    "empty": (np.zeros(0, np.float32), b"", [0], DataType.FLOAT),
    "empty bytes": (b"", b"", [0], DataType.UINT8),
}


def test_5_6_device() -> None:
    assert (CPU.get_device_id(), CPU.get_type()) == ("0", "cpu")
    CPU.get_device_desc()


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("build", [True, False], ids=["build", "constructor"])
def test_5_7_of_an_object_with_the_buffer_protocol(name: str, build: bool) -> None:
    source, data, shape, element = SOURCES[name]
    buffer = Buffer(CPU) if build else Buffer(CPU, source)
    if build:
        buffer.build(source)
    assert (buffer.as_bytes(), buffer.get("shape"), buffer.get("type")) == (data, shape, element)
    assert buffer.get_bytes() == len(data)
    assert isinstance(buffer.as_object(), np.ndarray)


def test_5_7_of_str() -> None:
    buffer = Buffer(CPU, "hé")
    assert (buffer.as_bytes(), buffer.as_object(), str(buffer)) == ("hé".encode(), "hé", "hé")
    for key in ("shape", "type"):
        with pytest.raises(ValueError, match=f"can not find buffer meta: {key}"):
            buffer.get(key)


def test_5_7_of_a_list() -> None:
    buffer = Buffer(CPU, [np.array([1, 2], np.int16), np.array([[3.0]], np.float64)])
    assert buffer.as_bytes() == np.array([1, 2], np.int16).tobytes() + np.array([3.0]).tobytes()
    assert (buffer.get("shape"), buffer.get("type")) == ([[2], [1, 1]], DataType.DOUBLE)
    assert not isinstance(buffer.as_object(), str)


def test_5_7_a_list_of_numbers_is_refused() -> None:
    """ModelBox's documents show it, its code refuses it."""
    with pytest.raises(TypeError):
        Buffer(CPU, [1.0, 2.0])


def test_5_7_of_a_device_alone() -> None:
    buffer = Buffer(CPU)
    assert (buffer.get_bytes(), buffer.as_bytes(), buffer.has_error()) == (0, b"", False)
    assert buffer.as_object().size == 0  # type: ignore[union-attr]


def test_5_7_of_a_buffer_shares_the_data_and_copies_the_metas() -> None:
    original = Buffer(CPU, ARRAY)
    original.set("k", 1)
    copy = Buffer(original)
    copy.set("k", 2)
    assert (original.get("k"), copy.get("k")) == (1, 2)
    assert np.shares_memory(np.asarray(original), np.asarray(copy))


def test_5_7_contiguous_arrays_are_not_copied() -> None:
    mine = ARRAY.copy()
    seen = np.asarray(Buffer(CPU, mine))
    assert np.shares_memory(mine, seen)
    mine[0, 0] = 42
    assert seen[0, 0] == 42


def test_5_7_the_array_is_kept_alive() -> None:
    buffer = Buffer(CPU, np.full(1000, 7, np.int32))
    assert np.asarray(buffer).sum() == 7000


@pytest.mark.parametrize("view", [lambda a: a.T, lambda a: a[:, ::2], lambda a: a[::-1]])
def test_5_7_other_arrays_are_copied_in_c_order(view: Callable[[Any], Any]) -> None:
    source = view(ARRAY)
    buffer = Buffer(CPU, source)
    assert np.array_equal(np.asarray(buffer), source)
    assert not np.shares_memory(np.asarray(buffer), source)


@pytest.mark.parametrize("build", [True, False])
def test_5_7_arrays_without_dimension(build: bool) -> None:
    with pytest.raises(RuntimeError, match=r"can not accept empty numpy\."):
        Buffer(CPU).build(np.array(5)) if build else Buffer(CPU, np.array(5))


@pytest.mark.parametrize("wrong", [5, 1.5, object(), {}])
def test_5_7_of_anything_else(wrong: object) -> None:
    with pytest.raises(TypeError):
        Buffer(CPU, wrong)


@pytest.mark.parametrize(
    ("dtype", "element"),
    [
        ("uint8", DataType.UINT8),
        ("int8", DataType.INT8),
        ("bool", DataType.BOOL),
        ("int16", DataType.INT16),
        ("uint16", DataType.UINT16),
        ("int32", DataType.INT32),
        ("uint32", DataType.UINT32),
        ("int64", DataType.INT64),
        ("longlong", DataType.INT64),
        ("ulonglong", DataType.UINT64),
        ("float32", DataType.FLOAT),
        ("float64", DataType.DOUBLE),
    ],
)
def test_5_7_dtypes(dtype: str, element: DataType) -> None:
    source = np.arange(4).astype(dtype).reshape(2, 2)
    buffer = Buffer(CPU, source)
    assert buffer.get("type") is element
    seen = np.asarray(buffer)
    assert seen.dtype.itemsize == source.dtype.itemsize
    assert np.array_equal(seen, source)
    assert np.array_equal(buffer.as_object(), source.ravel())  # type: ignore[arg-type]


def test_5_7_uint64_and_float16() -> None:
    """Deviation: ModelBox refuses numpy's own uint64 and takes float16 for float; here both are what they are."""
    for dtype, element in (("uint64", DataType.UINT64), ("float16", DataType.HALF)):
        source = np.arange(4).astype(dtype)
        buffer = Buffer(CPU, source)
        assert buffer.get("type") is element
        assert np.asarray(buffer).dtype == dtype
        assert np.array_equal(buffer.as_object(), source)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong", [np.zeros(2, complex), np.array(["a"]), np.zeros(2, ">f4"), np.zeros(2, "i4,i4")]
)
def test_5_7_dtypes_that_no_buffer_holds(wrong: Any) -> None:
    with pytest.raises(RuntimeError, match="invalid numpy data type: "):
        Buffer(CPU, wrong)


def test_5_7_as_object_is_flat_and_a_copy() -> None:
    buffer = Buffer(CPU, ARRAY)
    flat = buffer.as_object()
    assert isinstance(flat, np.ndarray)
    assert flat.shape == (6,)
    flat[0] = 99
    assert np.asarray(buffer)[0, 0] == 0


@pytest.mark.parametrize(
    ("element", "expected"),
    [(DataType.UINT8, 6), (DataType.INT16, 3), (DataType.FLOAT, 1), (DataType.DOUBLE, 0), (3, 1), ("no type", 6)],
)
def test_5_7_as_object_reads_the_meta_type(element: object, expected: int) -> None:
    buffer = Buffer(CPU, b"abcdef")
    buffer.set("type", element)
    assert len(buffer.as_object()) == expected


def test_5_7_text_that_is_no_utf_8() -> None:
    buffer = Buffer(CPU, "x")
    buffer._data = b"\xff"
    with pytest.raises(UnicodeDecodeError):
        buffer.as_object()
    with pytest.raises(UnicodeDecodeError):
        str(Buffer(CPU, b"\xff"))


def test_5_7_np_array_copies_and_np_asarray_shares() -> None:
    buffer = Buffer(CPU, ARRAY.copy())
    assert not np.shares_memory(np.array(buffer), np.asarray(buffer))
    assert np.asarray(buffer).shape == (2, 3)
    np.asarray(buffer)[0, 0] = 42
    assert buffer.as_object()[0] == 42  # type: ignore[comparison-overlap]
    assert np.asarray(buffer, np.float64).dtype == np.float64
    with pytest.raises(ValueError, match="without a copy"):
        np.asarray(buffer, np.float64, copy=False)


def test_5_7_arrays_of_bytes_are_read_only() -> None:
    """Deviation: ModelBox lets units write into whatever they got. `np.array(buffer)` is writable."""
    buffer = Buffer(CPU, b"abc")
    assert not np.asarray(buffer).flags.writeable
    assert np.array(buffer).flags.writeable


def test_5_7_dimensions_come_from_the_meta_shape() -> None:
    buffer = Buffer(CPU, np.arange(6, dtype=np.uint8))
    buffer.set("shape", [3, 2])
    assert np.asarray(buffer).shape == (3, 2)
    assert np.asarray(Buffer(CPU, "text")).shape == (4,)


def test_5_7_a_shape_that_does_not_fit() -> None:
    """Deviation: ModelBox does not check, and numpy reads beyond the end."""
    buffer = Buffer(CPU, b"abc")
    buffer.set("shape", [100])
    with pytest.raises(ValueError, match="cannot reshape"):
        np.asarray(buffer)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="classes offer it from 3.12 on")
def test_5_7_memoryview_before_python_3_12() -> None:
    """Deviation: a class written in Python cannot offer its memory there. `np.asarray(buffer).data` does."""
    with pytest.raises(TypeError):
        memoryview(Buffer(CPU, ARRAY))  # type: ignore[arg-type]
    assert np.asarray(Buffer(CPU, ARRAY)).data.shape == (2, 3)


def test_5_7_what_memoryview_gets_where_it_can() -> None:
    view = Buffer(CPU, ARRAY).__buffer__(0)
    assert (view.shape, view.format, view.tobytes()) == ((2, 3), "f", ARRAY.tobytes())
    assert Buffer(CPU).__buffer__(0).nbytes == 0


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
        [[1, 2], [3]],
        [["a"]],
        {"a": 1},
        (1, 2),
        None,
        [],
    ],
)
def test_5_7_metas(value: object) -> None:
    buffer = Buffer(CPU)
    assert buffer.set("k", value) is None  # type: ignore[func-returns-value]
    assert buffer.get("k") == value
    assert type(buffer.get("k")) is type(value)


def test_5_7_any_other_object_is_kept_by_reference() -> None:
    value = object()
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
def test_5_7_arrays_as_metas_are_copied(source: Any) -> None:
    buffer = Buffer(CPU)
    buffer.set("k", source)
    found = buffer.get("k")
    assert isinstance(found, np.ndarray)
    assert np.array_equal(found, np.asarray(memoryview(source)))
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


@pytest.mark.parametrize("name", ["get_error", "get_device", "set_type"])
def test_5_7_what_there_is_not(name: str) -> None:
    assert not hasattr(Buffer(CPU), name)


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
