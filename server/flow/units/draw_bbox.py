"""draw_bbox: frames around what a detector found (spec 7.6)."""

import numpy as np
from numpy.typing import NDArray

from server.flow.unitapi import Buffer, DataContext, FlowUnit
from server.flow.unitapi.flowunit import Returned
from server.flow.units.images import ImageError, Pixels, each_position, read_image, write_image

RECORD = np.dtype([("box", np.float32, 4), ("category", np.int32), ("score", np.float32)])
"""What yolo_postprocess sends for each box: x, y, width and height in pixels, then 8 bytes that are not used here.
ModelBox's documents describe crop's region instead; its code reads this."""
_COLOUR = (255, 0, 0)
_THICKNESS = 5
_FAR = 2**30


class DrawBbox(FlowUnit):
    """Lines are five pixels wide, with the box's outermost pixels in their middle, and meet in square corners:
    OpenCV's, which ModelBox uses, are up to a pixel wider and round at their ends."""

    def process(self, data_ctx: DataContext) -> Returned:
        return each_position(data_ctx, "draw_bbox", ("in_image", "in_region"), "out_image", _drawn)


def _drawn(image: Buffer, region: Buffer) -> Buffer:
    """The other metas stay, it is the same picture."""
    pixels = read_image(image).copy()
    for left, top, right, bottom in _corners_of(region).tolist():
        _frame(pixels, left, top, right, bottom)
    made = Buffer(image)
    write_image(made, pixels)
    made._metas["width_stride"] = pixels.shape[1]  # in pixels, as in ModelBox
    return made


def _corners_of(region: Buffer) -> NDArray[np.int64]:
    """Shape (boxes, 4): the outermost pixels left, top, right and bottom. Fractions of x, y, width and height are
    cut off; boxes that are empty then are left out.

    Raises: ImageError, when the region is no whole number of records, or a number of a box is not finite.
    """
    count, rest = divmod(region.get_bytes(), RECORD.itemsize)
    if rest:
        words = f"in_region has {region.get_bytes()} bytes, it must be records of {RECORD.itemsize}"
        raise ImageError(f"{words}: four float32 x, y, width, height, an int32 and a float32")
    boxes = np.frombuffer(region._data, RECORD, count)["box"]
    bad = np.flatnonzero(~np.isfinite(boxes).all(axis=1))
    if bad.size:
        raise ImageError(f"in_region: box {bad[0]} is {boxes[bad[0]].tolist()}, its numbers must be finite")
    whole = np.trunc(boxes.astype(np.float64))
    whole = whole[(whole[:, 2:] > 0).all(axis=1)]
    whole[:, 2:] += whole[:, :2] - 1
    corners: NDArray[np.int64] = whole.clip(-_FAR, _FAR).astype(np.int64)
    return corners


def _frame(pixels: Pixels, left: int, top: int, right: int, bottom: int) -> None:
    """Parts outside of the image are left out."""
    rows, columns = _band(top, bottom), _band(left, right)
    pixels[_band(top, top), columns] = _COLOUR
    pixels[_band(bottom, bottom), columns] = _COLOUR
    pixels[rows, _band(left, left)] = _COLOUR
    pixels[rows, _band(right, right)] = _COLOUR


def _band(first: int, last: int) -> slice:
    """From `first` to `last`, and half a line's width on both sides."""
    reach = _THICKNESS // 2
    return slice(max(0, first - reach), max(0, last + reach + 1))
