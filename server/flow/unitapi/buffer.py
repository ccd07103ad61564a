"""The data that travels through a flow (spec 4.1, 5.7)."""

from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Any

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


FORMAT_TYPES = {
    "B": DataType.UINT8,
    "b": DataType.INT8,
    "c": DataType.UINT8,
    "?": DataType.BOOL,
    "h": DataType.INT16,
    "H": DataType.UINT16,
    "i": DataType.INT32,
    "I": DataType.UINT32,
    "l": DataType.INT64,
    "q": DataType.INT64,
    "L": DataType.UINT64,
    "Q": DataType.UINT64,
    "e": DataType.HALF,
    "f": DataType.FLOAT,
    "d": DataType.DOUBLE,
}
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
    their own.
    """

    ModelBoxDataType = DataType
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
        """Raises: ValueError, when there is no such meta."""
        try:
            return self._metas[key]
        except KeyError:
            raise ValueError(f"can not find buffer meta: {key}") from None

    def set(self, key: str, value: object) -> None:
        self._metas[key] = value

    def copy_meta(self, other: "Buffer") -> None:
        """Adds the metas of `other` that this buffer lacks; existing ones win (spec 4.1)."""
        self._metas = {**other._metas, **self._metas}

    def has_error(self) -> bool:
        return self._error is not None

    def set_error(self, code: str, message: str) -> None:
        """Makes this an error buffer. The data is dropped."""
        self._error = (code, message, None)
        self._data = b""

    def get_error_code(self) -> str:
        return self._error[0] if self._error else ""

    def get_error_msg(self) -> str:
        return self._error[1] if self._error else ""

    def __str__(self) -> str:
        return str(self._data, "utf-8")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> "np.ndarray[Any, Any]":
        import numpy as np

        flat = self._flat_array()
        shape = self._metas.get("shape")
        array = flat.reshape(shape) if shape is not None else flat
        if dtype is not None and array.dtype != dtype:
            return array.astype(dtype)
        return np.array(array) if copy else array

    def _copy_of(self, other: "Buffer") -> None:
        self._data = other._data
        self._metas = other._metas.copy()
        self._kind = other._kind
        self._error = other._error
        self._device = other._device

    def _build_from_bytes(self, data: Any) -> None:
        view = memoryview(data)
        if not view.ndim:
            raise RuntimeError("can not accept empty numpy.")
        code = view.format.lstrip("@=<")
        if code not in FORMAT_TYPES:
            raise RuntimeError(f"invalid numpy data type: {view.format}")
        self._data = data if isinstance(data, bytes) else _flat_bytes(view)
        self._kind = BufferKind.RAW
        self._metas["shape"] = list(view.shape or ())
        self._metas["type"] = FORMAT_TYPES[code]

    def _build_from_list(self, items: list[Any]) -> None:
        parts = [Buffer(self._device, item) for item in items]
        self._data = b"".join(part.as_bytes() for part in parts)
        self._kind = BufferKind.RAW
        self._metas["shape"] = [part._metas.get("shape") for part in parts]
        if parts:
            self._metas["type"] = parts[-1]._metas.get("type", DataType.UINT8)

    def _flat_array(self) -> "np.ndarray[Any, Any]":
        import numpy as np

        name = NUMPY_NAMES[DataType(self._metas.get("type", DataType.UINT8))]
        return np.frombuffer(self._data, dtype=name)


def _flat_bytes(view: memoryview) -> bytes | memoryview:
    if not view.nbytes:
        return b""
    return view.cast("B") if view.c_contiguous else view.tobytes()
