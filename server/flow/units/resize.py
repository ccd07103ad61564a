"""resize: images in another size (spec 7.6)."""

from server.flow.unitapi import Buffer, Configuration, DataContext, FlowUnit, Status, UnitStatusCode
from server.flow.unitapi.flowunit import Returned
from server.flow.units import image_options, resampling
from server.flow.units.image_options import INTERPOLATIONS, LINEAR, NEAREST
from server.flow.units.images import each_position, new_image, read_image


class Resize(FlowUnit):
    """Of ModelBox's interpolations, inter_linear and inter_nearest are there; what they give: `resampling`."""

    def open(self, config: Configuration) -> Returned:
        try:
            self._width = image_options.pixels(config, "width", "image_width")
            self._height = image_options.pixels(config, "height", "image_height")
            interpolation = image_options.choice(config, "interpolation", INTERPOLATIONS)
        except ValueError as error:
            return Status(UnitStatusCode.STATUS_BADCONF, str(error))
        if interpolation not in (LINEAR, NEAREST):
            words = f"option interpolation is '{interpolation}', which this engine does not have"
            return Status(UnitStatusCode.STATUS_BADCONF, f"{words}: use {LINEAR} or {NEAREST}")
        self._resampled = resampling.bilinear if interpolation == LINEAR else resampling.nearest
        return UnitStatusCode.STATUS_SUCCESS

    def process(self, data_ctx: DataContext) -> Returned:
        return each_position(data_ctx, "resize", ("in_image",), "out_image", self._resized)

    def _resized(self, image: Buffer) -> Buffer:
        return new_image(image, self._resampled(read_image(image), self._height, self._width))
