"""image_rotate: images turned clockwise (spec 7.6)."""

import numpy as np

from server.flow.unitapi import Buffer, Configuration, DataContext, FlowUnit, Status, UnitStatusCode
from server.flow.unitapi.buffer import DataType
from server.flow.unitapi.flowunit import Returned
from server.flow.units import image_options
from server.flow.units.images import (
    CHANNELS,
    ImageError,
    check_meta,
    check_type,
    each_position,
    pixels_of,
    positive,
)

_ANGLES = (0, 90, 180, 270)


class ImageRotate(FlowUnit):
    """The meta `shape` is that of the turned image. In ModelBox it stays that of the old one, so that
    `np.array(buffer)` of an image that is not square is no image."""

    def open(self, config: Configuration) -> Returned:
        self._angle: int | None = None
        if not config.get_string("rotate_angle"):
            return UnitStatusCode.STATUS_SUCCESS
        try:
            self._angle = int(image_options.choice(config, "rotate_angle", tuple(map(str, _ANGLES))))
        except ValueError as error:
            return Status(UnitStatusCode.STATUS_BADCONF, str(error))
        return UnitStatusCode.STATUS_SUCCESS

    def process(self, data_ctx: DataContext) -> Returned:
        return each_position(data_ctx, "image_rotate", ("in_image",), "out_image", self._rotated)

    def _rotated(self, image: Buffer) -> Buffer:
        angle = _angle_of(image) if self._angle is None else self._angle
        if angle == 0:
            return image
        check_type(image, DataType.UINT8)
        check_meta(image, "layout", "hwc")
        width, height = positive(image, "width"), positive(image, "height")
        turned = np.rot90(pixels_of(image, height, width, _channels_of(image)), -angle // 90)
        rotated = Buffer(image)
        rotated.build(np.ascontiguousarray(turned))
        height, width, channels = turned.shape
        rotated._metas.update(width=width, height=height, rotate_angle=0)
        strides = {"width_stride": width * channels, "height_stride": height}
        rotated._metas.update({key: value for key, value in strides.items() if key in rotated._metas})
        return rotated


def _angle_of(image: Buffer) -> int:
    """Raises: ImageError, when the image says no angle, or none of a quarter turn."""
    if "rotate_angle" not in image._metas:
        words = "there is no angle: set option rotate_angle to 90, 180 or 270"
        raise ImageError(f"{words}, or the meta rotate_angle of the image's buffer")
    check_meta(image, "rotate_angle", *_ANGLES)
    return int(image._metas["rotate_angle"])


def _channels_of(image: Buffer) -> int:
    if "channel" in image._metas:
        return positive(image, "channel")
    return 1 if image._metas.get("pix_fmt") == "gray" else CHANNELS
