"""packed_planar_transpose: images channel by channel, as models want them (spec 7.6)."""

import numpy as np

from server.flow.unitapi import Buffer, DataContext, FlowUnit
from server.flow.unitapi.buffer import DataType
from server.flow.unitapi.flowunit import Returned
from server.flow.units.images import CHANNELS, FORMATS, check_meta, check_type, each_position, pixels_of, positive


class PackedPlanarTranspose(FlowUnit):
    def process(self, data_ctx: DataContext) -> Returned:
        return each_position(data_ctx, "packed_planar_transpose", ("in_image",), "out_image", _planar)


def _planar(image: Buffer) -> Buffer:
    """The other metas stay, it is the same picture; a row of a channel has `width` bytes."""
    width, height = positive(image, "width"), positive(image, "height")
    check_meta(image, "channel", CHANNELS)
    check_meta(image, "pix_fmt", *FORMATS)
    check_type(image, DataType.UINT8)
    check_meta(image, "layout", "hwc")
    planes = np.moveaxis(pixels_of(image, height, width, CHANNELS), 2, 0)
    made = Buffer(image)
    made.build(np.ascontiguousarray(planes))
    made._metas.update(layout="chw", width_stride=width, height_stride=height)
    return made
