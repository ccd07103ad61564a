"""Images in buffers (spec 7.1): read with every check, written with their metas. For the image units."""

import operator
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from server.flow.unitapi import Buffer, DataContext, UnitStatusCode
from server.flow.unitapi.buffer import DataType
from server.flow.unitapi.flowunit import Returned

CHANNELS = 3
FORMATS = ("rgb", "bgr")

Pixels: TypeAlias = NDArray[np.uint8]
"""Shape (height, width, channels)."""


class ImageError(ValueError):
    """What is wrong with the buffers of one position."""


def each_position(
    data_ctx: DataContext, unit: str, takes: tuple[str, ...], gives: str, work: Callable[..., Buffer]
) -> Returned:
    """Puts `work(buffer of each port in takes)` into the port `gives`, position by position.

    An ImageError of `work` makes an error of its own position: in ModelBox it fails all buffers of the call, which
    are other clients' images. An error buffer shows no status code, so those of the specification stand nowhere.
    """
    inputs, out = [data_ctx.input(port) for port in takes], data_ctx.output(gives)
    assert out is not None
    for buffers in zip(*inputs, strict=True):
        try:
            made = work(*buffers)
        except ImageError as error:
            made = Buffer(out._device)
            made.set_error(f"{unit}.ProcessError", str(error))
        out.push_back(made)
    return UnitStatusCode.STATUS_SUCCESS


def read_image(buffer: Buffer) -> Pixels:
    """A packed image of three channels; it may share the buffer's data, so do not write to it.

    Raises: ImageError, when a meta is missing, or says that this is another kind of image, or that it has another
    number of bytes.
    """
    width, height = positive(buffer, "width"), positive(buffer, "height")
    if "pix_fmt" in buffer._metas:
        check_meta(buffer, "pix_fmt", *FORMATS)
    elif "channel" in buffer._metas:
        check_meta(buffer, "channel", CHANNELS)
    else:
        raise ImageError("meta don't have key pix_fmt: set it on the image's buffer, or channel")
    if "type" in buffer._metas:
        check_type(buffer, DataType.UINT8)
    if "layout" in buffer._metas:
        check_meta(buffer, "layout", "hwc")
    return pixels_of(buffer, height, width, CHANNELS)


def pixels_of(buffer: Buffer, height: int, width: int, channels: int) -> Pixels:
    """Rows may be padded to `width_stride` bytes, and images to `height_stride` rows. What these metas say of
    other images is not heeded, since units disagree about what they mean (spec 7.1).

    Raises: ImageError, when the data has another number of bytes than such an image.
    """
    data, row = flat(buffer, np.uint8), width * channels
    if data.size == row * height:
        return data.reshape(height, width, channels)
    stride, rows = _stride(buffer, "width_stride", row), _stride(buffer, "height_stride", height)
    if stride >= row and rows >= height and data.size == stride * rows:
        return data.reshape(rows, stride)[:height, :row].reshape(height, width, channels)
    words = f"the image has {data.size} bytes, but {width} x {height} pixels of {channels} channels"
    raise ImageError(f"{words} are {row * height}: the metas width, height and channel must be those of the data")


def write_image(buffer: Buffer, pixels: Pixels) -> None:
    """Makes `pixels` the buffer's data, and sets all metas that follow from them (spec 7.1): all but pix_fmt."""
    height, width, channels = pixels.shape
    buffer.build(np.ascontiguousarray(pixels))
    sizes = {"width": width, "height": height, "width_stride": width * channels, "height_stride": height}
    buffer._metas.update(sizes, channel=channels, layout="hwc")


def new_image(source: Buffer, pixels: Pixels) -> Buffer:
    """Another image than `source`: of its metas it has pix_fmt only."""
    made = Buffer(source._device)
    write_image(made, pixels)
    if "pix_fmt" in source._metas:
        made._metas["pix_fmt"] = source._metas["pix_fmt"]
    return made


def flat(buffer: Buffer, dtype: type[np.generic]) -> NDArray[Any]:
    """Raises: ImageError, when the data is no whole number of such elements."""
    size = np.dtype(dtype).itemsize
    count, rest = divmod(buffer.get_bytes(), size)
    if rest:
        words = f"the buffer has {buffer.get_bytes()} bytes, its type says elements of {size}"
        raise ImageError(f"{words}: the meta type must be that of the data")
    return np.frombuffer(buffer._data, dtype, count)


def required(buffer: Buffer, key: str) -> Any:
    """Raises: ImageError, when there is no such meta."""
    if key not in buffer._metas:
        raise ImageError(f"meta don't have key {key}: set it on the image's buffer")
    return buffer._metas[key]


def positive(buffer: Buffer, key: str) -> int:
    """Raises: ImageError, when there is no such meta, or it is no whole number above 0."""
    value = required(buffer, key)
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if number < 1:
        raise ImageError(f"meta {key} is {value!r:.60}, it must be a whole number above 0")
    return number


def _stride(buffer: Buffer, key: str, otherwise: int) -> int:
    value = buffer._metas.get(key)
    return int(value) if isinstance(value, int | np.integer) else otherwise


def check_meta(buffer: Buffer, key: str, *allowed: object) -> None:
    """Raises: ImageError, when there is no such meta, or it is none of `allowed`."""
    value = required(buffer, key)
    if not isinstance(value, str | int | np.integer) or value not in allowed:
        raise ImageError(f"meta {key} is {value!r:.60}, this unit takes {' or '.join(map(str, allowed))}")


def check_type(buffer: Buffer, *allowed: DataType) -> DataType:
    """Raises: ImageError, when there is no meta `type`, or it is none of `allowed`."""
    value = required(buffer, "type")
    found = next((each for each in allowed if isinstance(value, int) and value == each), None)
    if found is None:
        words = " or ".join(each.name for each in allowed)
        raise ImageError(f"meta type is {getattr(value, 'name', value)!s:.60}, this unit takes {words}")
    return found
