"""padding: images in the middle, or in a corner, of larger ones (spec 7.6)."""

import numpy as np

from server.flow.unitapi import Buffer, Configuration, DataContext, FlowUnit, Status, UnitStatusCode
from server.flow.unitapi.flowunit import Returned
from server.flow.units import image_options
from server.flow.units.image_options import INTERPOLATIONS
from server.flow.units.images import CHANNELS, ImageError, Pixels, each_position, new_image, read_image
from server.flow.units.resampling import bilinear

_VERTICAL, _HORIZONTAL = ("top", "center", "bottom"), ("left", "center", "right")


class Padding(FlowUnit):
    def open(self, config: Configuration) -> Returned:
        try:
            self._width = image_options.pixels(config, "image_width")
            self._height = image_options.pixels(config, "image_height")
            self._down = _VERTICAL.index(image_options.choice(config, "vertical_align", _VERTICAL))
            self._right = _HORIZONTAL.index(image_options.choice(config, "horizontal_align", _HORIZONTAL))
            self._background = _background(config)
            # not used otherwise: scaling is always linear, as in ModelBox
            image_options.choice(config, "interpolation", INTERPOLATIONS)
        except ValueError as error:
            return Status(UnitStatusCode.STATUS_BADCONF, str(error))
        self._scales = config.get_bool("need_scale", True)
        return UnitStatusCode.STATUS_SUCCESS

    def process(self, data_ctx: DataContext) -> Returned:
        return each_position(data_ctx, "padding", ("in_image",), "out_image", self._padded)

    def _padded(self, image: Buffer) -> Buffer:
        pixels = self._fitted(read_image(image))
        height, width, _ = pixels.shape
        top, left = (self._height - height) * self._down // 2, (self._width - width) * self._right // 2
        canvas = np.empty((self._height, self._width, CHANNELS), np.uint8)
        canvas[:] = self._background
        canvas[top : top + height, left : left + width] = pixels
        return new_image(image, canvas)

    def _fitted(self, pixels: Pixels) -> Pixels:
        """As large as fits with the image's proportions, down to whole pixels.

        Raises: ImageError, when it does not fit and may not be scaled.
        """
        height, width, _ = pixels.shape
        if self._scales:
            # which side fills the canvas, without fractions
            if width * self._height >= height * self._width:
                return bilinear(pixels, max(1, height * self._width // width), self._width)
            return bilinear(pixels, self._height, max(1, width * self._height // height))
        if width > self._width or height > self._height:
            words = f"the image is {width} x {height}, larger than {self._width} x {self._height}"
            raise ImageError(f"{words}, and need_scale is false: it does not fit")
        return pixels


def _background(config: Configuration) -> tuple[int, ...]:
    """Raises: ValueError, when `padding_data` is not three values of a byte."""
    if not config.get_string("padding_data"):
        return (0,) * CHANNELS
    numbers = image_options.three_numbers(config, "padding_data")
    if any(number not in range(256) for number in numbers):
        words = ", ".join(f"{number:g}" for number in numbers)
        raise ValueError(f"option padding_data is '{words}', its values must be whole numbers from 0 to 255")
    return tuple(int(number) for number in numbers)
