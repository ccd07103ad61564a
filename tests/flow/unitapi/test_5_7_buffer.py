"""Spec 5.7: Buffer, its data; 4.1 for what copies share. Metas and errors: test_5_7_buffer_metas.py."""

import sys
from array import array
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from server.flow.unitapi import Buffer, BufferKind, DataType, Device

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


@pytest.mark.parametrize("build", [True, False], ids=["build", "constructor"])
def test_5_7_of_str(build: bool) -> None:
    buffer = Buffer(CPU) if build else Buffer(CPU, "hé")
    if build:
        buffer.build("hé")
    assert (buffer.as_bytes(), buffer.as_object(), str(buffer)) == ("hé".encode(), "hé", "hé")
    for key in ("shape", "type"):
        with pytest.raises(ValueError, match=f"can not find buffer meta: {key}"):
            buffer.get(key)


@pytest.mark.parametrize("build", [True, False], ids=["build", "constructor"])
def test_5_7_of_a_list(build: bool) -> None:
    items = [np.array([1, 2], np.int16), np.array([[3.0]], np.float64)]
    buffer = Buffer(CPU) if build else Buffer(CPU, items)
    if build:
        buffer.build(items)
    assert buffer.as_bytes() == np.array([1, 2], np.int16).tobytes() + np.array([3.0]).tobytes()
    assert (buffer.get("shape"), buffer.get("type")) == ([[2], [1, 1]], DataType.DOUBLE)
    assert not isinstance(buffer.as_object(), str)


def test_5_7_a_list_of_numbers_is_refused() -> None:
    """ModelBox's documents show it, its code refuses it."""
    with pytest.raises(TypeError, match=r"not of float: numbers go in as np\.array"):
        Buffer(CPU, [1.0, 2.0])


def test_5_7_build_replaces_what_was_there() -> None:
    buffer = Buffer(CPU, "text")
    buffer.build(ARRAY)
    assert np.array_equal(np.asarray(buffer), ARRAY)
    assert isinstance(buffer.as_object(), np.ndarray)
    buffer.build("text")
    assert buffer.as_object() == "text"


@pytest.mark.parametrize("source", ["hé", "hé".encode(), np.frombuffer("hé".encode(), np.uint8)])
def test_5_7_str_decodes_whatever_there_is(source: Any) -> None:
    assert str(Buffer(CPU, source)) == "hé"


@pytest.mark.parametrize(("source", "size"), [(ARRAY, 24), ("hé", 3), (b"abc", 3), ([b"a", b"bc"], 3)])
def test_5_7_get_bytes_and_as_bytes(source: Any, size: int) -> None:
    buffer = Buffer(CPU, source)
    assert buffer.get_bytes() == len(buffer.as_bytes()) == size
    assert type(buffer.as_bytes()) is bytes


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


@pytest.mark.parametrize("wrong", [5, 1.5, object(), {}, [None]])
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


def test_5_7_a_half_buffer_through_numpy() -> None:
    """Deviation: ModelBox has it in `as_object` only and raises RuntimeError from the buffer protocol."""
    buffer = Buffer(CPU, np.array([[1.5, 2.5]], np.float16))
    assert np.asarray(buffer).tolist() == [[1.5, 2.5]]


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


def test_5_7_as_object_of_an_image_is_an_array() -> None:
    buffer = Buffer(CPU, ARRAY)
    buffer._kind = BufferKind.IMG
    assert buffer.as_object().shape == (6,)  # type: ignore[union-attr]


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
    """Deviation: a class written in Python cannot offer its memory there, and no type in C whose memory can be
    pointed elsewhere is a base. `np.asarray(buffer).data` has it, and `bytes(buffer)` a copy."""
    buffer = Buffer(CPU, ARRAY)
    with pytest.raises(TypeError):
        memoryview(buffer)  # type: ignore[arg-type]
    assert np.asarray(buffer).data.shape == (2, 3)
    assert bytes(buffer) == ARRAY.tobytes()


def test_5_7_what_memoryview_gets_where_it_can() -> None:
    view = Buffer(CPU, ARRAY).__buffer__(0)
    assert (view.shape, view.format, view.tobytes()) == ((2, 3), "f", ARRAY.tobytes())
    assert Buffer(CPU).__buffer__(0).nbytes == 0
