"""The data that travels through a flow (spec 4.1, 5.7)."""

from enum import Enum, IntEnum
from struct import calcsize
from typing import TYPE_CHECKING, Any

from server.flow.mask import Mask
from server.flow.unitapi import metas

if TYPE_CHECKING:
    import numpy as np

    from server.flow.unitapi.flowunit import Device


class BufferKind(Enum):
    """What `as_object` makes of the bytes."""

    RAW = 0
    IMG = 1
    STR = 2


class DataType(IntEnum):
    """Element types under ModelBox's numbers (spec 5.7)."""

    FLOAT = 1
    DOUBLE = 2
    INT32 = 3
    UINT8 = 4
    INT16 = 5
    INT8 = 6
    INT64 = 9
    BOOL = 10
    UINT16 = 17
    HALF = 19
    UINT32 = 22
    UINT64 = 23

    def __str__(self) -> str:
        return f"ModelBoxDataType.{self.name}"


_INTEGERS = {
    ("i", 1): DataType.INT8,
    ("i", 2): DataType.INT16,
    ("i", 4): DataType.INT32,
    ("i", 8): DataType.INT64,
    ("u", 1): DataType.UINT8,
    ("u", 2): DataType.UINT16,
    ("u", 4): DataType.UINT32,
    ("u", 8): DataType.UINT64,
}
_OTHERS = {
    "c": DataType.UINT8,
    "?": DataType.BOOL,
    "e": DataType.HALF,
    "f": DataType.FLOAT,
    "d": DataType.DOUBLE,
}
FORMATS = {
    DataType.FLOAT: "f",
    DataType.DOUBLE: "d",
    DataType.INT32: "i",
    DataType.UINT8: "B",
    DataType.INT16: "h",
    DataType.INT8: "b",
    DataType.INT64: "q",
    DataType.BOOL: "?",
    DataType.UINT16: "H",
    DataType.HALF: "e",
    DataType.UINT32: "I",
    DataType.UINT64: "Q",
}
ITEM_SIZES = {element: calcsize(code) for element, code in FORMATS.items()}
NUMPY_NAMES = {
    DataType.FLOAT: "float32",
    DataType.DOUBLE: "float64",
    DataType.INT32: "int32",
    DataType.UINT8: "uint8",
    DataType.INT16: "int16",
    DataType.INT8: "int8",
    DataType.INT64: "int64",
    DataType.BOOL: "bool",
    DataType.UINT16: "uint16",
    DataType.HALF: "float16",
    DataType.UINT32: "uint32",
    DataType.UINT64: "uint64",
}


class Buffer:
    """Bytes, metas, and either data or an error.

    Copies (`Buffer(other)`, and each buffer that is pushed into a list) share the data and have metas of
    their own. `np.asarray(buffer)` shares the data too; it is read-only where the data came from `bytes` or text.
    `memoryview(buffer)` works from Python 3.12 on: before, only classes written in C can offer it.
    """

    ModelBoxDataType = DataType
    UINT8 = DataType.UINT8
    INT8 = DataType.INT8
    BOOL = DataType.BOOL
    INT16 = DataType.INT16
    UINT16 = DataType.UINT16
    INT32 = DataType.INT32
    UINT32 = DataType.UINT32
    INT64 = DataType.INT64
    UINT64 = DataType.UINT64
    FLOAT = DataType.FLOAT
    DOUBLE = DataType.DOUBLE
    __slots__ = ("_data", "_device", "_error", "_kind", "_metas")

    def __init__(self, source: "Device | Buffer | None" = None, data: object = None) -> None:
        self._data: bytes | bytearray | memoryview = b""
        self._metas: dict[str, Any] = {}
        self._kind = BufferKind.RAW
        self._error: tuple[str, str, int | None] | None = None
        self._device: Device | None = None
        if isinstance(source, Buffer):
            self._copy_of(source)
            return
        self._device = source
        if data is not None:
            self.build(data)

    def build(self, data: object) -> None:
        """Replaces the content: `str` as UTF-8, or any object with the buffer protocol (no copy when it is
        C-contiguous), or a list of such objects, one after the other.

        Raises: TypeError, when `data` is none of these; RuntimeError for a 0-dimensional array.
        """
        self._error = None
        if isinstance(data, str):
            self._data, self._kind = data.encode(), BufferKind.STR
        elif isinstance(data, list | tuple):
            self._build_from_list(list(data))
        else:
            self._build_from_bytes(data)

    def as_object(self) -> "str | np.ndarray[Any, Any]":
        """The data as text (buffers built from `str`) or as a flat array.

        Returns: shape (bytes / itemsize,), dtype from the meta `type`, uint8 without it. A copy. The meta
        `shape` is not applied, as in ModelBox (spec 5.7): use `np.asarray(buffer)` for that.
        Raises: RuntimeError, when the buffer holds an error instead of text; UnicodeDecodeError.
        """
        if self._kind is BufferKind.STR:
            if self._error is not None:
                raise RuntimeError("can not get buffer data.")
            return str(self)
        return self._flat_array().copy()

    def as_bytes(self) -> bytes:
        return bytes(self._data)

    def get_bytes(self) -> int:
        """The length in bytes; 0 for error buffers."""
        return self._data.nbytes if isinstance(self._data, memoryview) else len(self._data)

    def get(self, key: str) -> Any:
        """What `set` copied comes as a copy. Raises: ValueError, when there is no such meta."""
        try:
            value = self._metas[key]
        except KeyError:
            raise ValueError(f"can not find buffer meta: {key}") from None
        return metas.given(value) if type(value) is list else value

    def set(self, key: str, value: object) -> None:
        """Lists of texts or numbers, and lists of these, are copied, arrays and `bytes` become new numpy arrays;
        anything else is kept by reference (spec 5.7). What a buffer holds, its copies share.

        Raises: TypeError, when the key is no text.
        """
        if not isinstance(key, str):
            raise TypeError(f"the name of a meta is a str, not {type(key).__name__}")
        self._metas[key] = metas.kept(value)

    def copy_meta(self, other: "Buffer") -> None:
        """Adds the metas of `other` that this buffer lacks; existing ones win (spec 4.1)."""
        self._metas = {**other._metas, **self._metas}

    def has_error(self) -> bool:
        return self._error is not None

    def set_error(self, code: str, message: str) -> None:
        """Makes this an error buffer. The data is dropped, and secrets in `message` are masked: clients see it."""
        self._error = (code, Mask.of_process()(message), None)
        self._data = b""

    def get_error_code(self) -> str:
        return self._error[0] if self._error else ""

    def get_error_msg(self) -> str:
        return self._error[1] if self._error else ""

    def __str__(self) -> str:
        return str(self._data, "utf-8")

    def __bytes__(self) -> bytes:
        return self.as_bytes()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> "np.ndarray[Any, Any]":
        """For numpy: element type from the meta `type`, dimensions from `shape`.

        Raises: ValueError, when `shape` does not fit the number of bytes (ModelBox does not check).
        """
        import numpy as np

        array = self._flat_array()
        shape = self._shape()
        if shape != [array.size]:
            array = array.reshape(shape)
        if dtype is not None and array.dtype != dtype:
            if copy is False:
                raise ValueError(f"a buffer of {array.dtype} cannot be an array of {dtype} without a copy")
            return array.astype(dtype)
        return np.array(array) if copy else array

    def __buffer__(self, flags: int) -> memoryview:
        view = memoryview(self._data)
        if not view.nbytes:
            return view
        return view.cast("B").cast(FORMATS[self._type()], self._shape())  # type: ignore[call-overload, no-any-return]

    def _copy_of(self, other: "Buffer") -> None:
        self._data = other._data
        self._metas = other._metas.copy()
        self._kind = other._kind
        self._error = other._error
        self._device = other._device

    def _build_from_bytes(self, data: Any) -> None:
        if type(data) is bytes:
            self._data, self._kind = data, BufferKind.RAW
            self._metas["shape"] = [len(data)]
            self._metas["type"] = DataType.UINT8
            return
        if isinstance(data, Buffer):
            data = data.__array__()
        view = metas.view_of(data)
        if view is None:
            words = f"a buffer is made of str, bytes, an array or a list of arrays, not of {type(data).__name__}"
            raise TypeError(f"{words}: numbers go in as np.array(...)")
        if not view.ndim:
            raise RuntimeError("can not accept empty numpy.")
        element = _type_of(view)
        self._data = _flat_bytes(view)
        self._kind = BufferKind.RAW
        self._metas["shape"] = list(view.shape or ())
        self._metas["type"] = element

    def _build_from_list(self, items: list[Any]) -> None:
        parts = [Buffer(self._device) for _ in items]
        for part, item in zip(parts, items, strict=True):
            part.build(item)
        self._data = b"".join(part._data for part in parts)
        self._kind = BufferKind.RAW
        self._metas["shape"] = [part._metas.get("shape") for part in parts]
        if parts:
            self._metas["type"] = parts[-1]._metas.get("type", DataType.UINT8)

    def _flat_array(self) -> "np.ndarray[Any, Any]":
        import numpy as np

        element = self._type()
        return np.frombuffer(self._data, NUMPY_NAMES[element], self.get_bytes() // ITEM_SIZES[element])

    def _type(self) -> DataType:
        """The meta `type`; a number that is no type counts as none, as in ModelBox."""
        found = self._metas.get("type", DataType.UINT8)
        if type(found) is DataType:
            return found
        try:
            return DataType(found)
        except ValueError:
            return DataType.UINT8

    def _shape(self) -> list[int]:
        shape = self._metas.get("shape")
        if self._error is None and isinstance(shape, list | tuple) and all(isinstance(n, int) for n in shape):
            return list(shape)
        return [self.get_bytes() // ITEM_SIZES[self._type()]]


def _type_of(view: memoryview) -> DataType:
    """Raises: RuntimeError for elements that no buffer holds: complex numbers, text, dates, foreign byte order."""
    code = view.format.lstrip("@=<")
    kind = "i" if code in "bhilqn" else "u" if code in "BHILQN" else code
    found = _OTHERS.get(code) or _INTEGERS.get((kind, view.itemsize))
    if found is None:
        raise RuntimeError(f"invalid numpy data type: {view.format}")
    return found


def _flat_bytes(view: memoryview) -> bytes | memoryview:
    if not view.nbytes:
        return b""
    if not view.c_contiguous:
        return view.tobytes()
    try:
        return view.cast("B")
    except ValueError:
        # formats that memoryview does not cast, such as 'e' before Python 3.12
        return view.tobytes()
