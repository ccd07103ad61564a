"""crop: a region of each image (spec 7.6)."""

import numpy as np

from server.flow.unitapi import Buffer, DataContext, FlowUnit
from server.flow.unitapi.buffer import DataType
from server.flow.unitapi.flowunit import Returned
from server.flow.units.images import ImageError, each_position, new_image, read_image

_WORDS = "roi box param is invaild !"
_BYTES = 16


class Crop(FlowUnit):
    def process(self, data_ctx: DataContext) -> Returned:
        return each_position(data_ctx, "crop", ("in_image", "in_region"), "out_image", _cropped)


def _cropped(image: Buffer, region: Buffer) -> Buffer:
    pixels = read_image(image)
    x, y, width, height = _region_of(region)
    rows, columns, _ = pixels.shape
    if x < 0 or y < 0 or width < 1 or height < 1 or x + width > columns or y + height > rows:
        words = f"x {x}, y {y}, width {width}, height {height}"
        raise ImageError(f"{_WORDS} {words} is not inside of the image of {columns} x {rows}, or empty")
    return new_image(image, pixels[y : y + height, x : x + width])


def _region_of(region: Buffer) -> list[int]:
    """Raises: ImageError, when it is not four int32."""
    element = region._metas.get("type", DataType.UINT8)
    if region.get_bytes() == _BYTES and element in (DataType.INT32, DataType.UINT8):
        numbers: list[int] = np.frombuffer(region._data, np.int32).tolist()
        return numbers
    words = f"in_region has {region.get_bytes()} bytes of type {getattr(element, 'name', element)!s:.60}"
    made = "as in np.array([x, y, width, height], np.int32)"
    raise ImageError(f"{_WORDS} {words}, it must be four int32, {_BYTES} bytes, {made}")
