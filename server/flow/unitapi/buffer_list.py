"""An ordered list of buffers: what a port holds during one call (spec 4.2, 5.8)."""

import operator
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from server.flow.unitapi.buffer import Buffer
from server.flow.unitapi.status import Status, UnitStatusCode

if TYPE_CHECKING:
    from server.flow.unitapi.flowunit import Device


class BufferList:
    __slots__ = ("_buffers", "_device")

    def __init__(self, source: "Device | Buffer | Sequence[Buffer] | None" = None) -> None:
        self._device: Device | None = None
        self._buffers: list[Buffer] = []
        if isinstance(source, Buffer):
            self._buffers.append(Buffer(source))
        elif isinstance(source, Sequence):
            self._buffers.extend(Buffer(buffer) for buffer in source)
        else:
            self._device = source

    def build(self, sizes: Sequence[int]) -> Status:
        """Replaces the content with zeroed buffers of these sizes in bytes."""
        self._buffers = [Buffer(self._device) for _ in sizes]
        for buffer, size in zip(self._buffers, sizes, strict=True):
            buffer._data = bytearray(size)
        return Status()

    def size(self) -> int:
        return len(self._buffers)

    def get_bytes(self) -> int:
        return sum(buffer.get_bytes() for buffer in self._buffers)

    def get_device(self) -> "Device | None":
        return self._device

    def push_back(self, item: object) -> None:
        """Adds a shallow copy of a buffer, or a new buffer built from `item`.

        Raises: TypeError, when `item` is no buffer, no text and has no buffer protocol.
        """
        self._buffers.append(Buffer(item) if isinstance(item, Buffer) else Buffer(self._device, item))

    def set(self, key: str, value: object) -> None:
        for buffer in self._buffers:
            buffer.set(key, value)

    def front(self) -> Buffer | None:
        return self._buffers[0] if self._buffers else None

    def back(self) -> Buffer | None:
        return self._buffers[-1] if self._buffers else None

    def set_error(self, code: str, message: str) -> None:
        for buffer in self._buffers:
            buffer.set_error(code, message)

    def copy_meta(self, other: "BufferList") -> Status:
        if len(other) != len(self):
            words = f"copy_meta: {len(other)} buffers into {len(self)}, the lengths must be equal"
            return Status(UnitStatusCode.STATUS_FAULT, words)
        for mine, theirs in zip(self._buffers, other._buffers, strict=True):
            mine.copy_meta(theirs)
        return Status()

    def __len__(self) -> int:
        return len(self._buffers)

    def __iter__(self) -> Iterator[Buffer]:
        return iter(self._buffers)

    def __getitem__(self, index: int) -> Buffer | None:
        """None beyond the end, as in ModelBox (spec 5.8)."""
        number = operator.index(index)
        if number < 0:
            raise TypeError(f"a buffer list is indexed by numbers from 0, not by {index!r}")
        return self._buffers[number] if number < len(self._buffers) else None
