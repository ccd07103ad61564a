"""Images for tests of the image units."""

import numpy as np
from numpy.typing import NDArray

from server.flow.unitapi import Buffer


def noise(height: int, width: int, channels: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(height * 1000 + width).integers(0, 256, (height, width, channels), np.uint8)


def image(pixels: NDArray[np.uint8], **metas: object) -> Buffer:
    """With all metas of spec 7.1, overlaid by `metas`; None takes one away."""
    height, width, channels = pixels.shape
    made = Buffer(None, pixels)
    described: dict[str, object] = {
        "width": width,
        "height": height,
        "width_stride": width * channels,
        "height_stride": height,
        "channel": channels,
        "pix_fmt": "rgb",
        "layout": "hwc",
    }
    for name, value in {**described, **metas}.items():
        if value is None:
            made._metas.pop(name, None)
        else:
            made.set(name, value)
    return made


def metas_of(buffer: Buffer) -> dict[str, object]:
    return {name: buffer.get(name) for name in buffer._metas}


def metas_for(height: int, width: int, pix_fmt: str = "rgb") -> dict[str, object]:
    """The metas of spec 7.1, of a packed image of three channels."""
    return {
        "width": width,
        "height": height,
        "width_stride": 3 * width,
        "height_stride": height,
        "channel": 3,
        "pix_fmt": pix_fmt,
        "layout": "hwc",
        "shape": [height, width, 3],
        "type": Buffer.UINT8,
    }


def message_of(buffer: Buffer, unit: str) -> str:
    """The error that the unit made of a buffer."""
    assert buffer.get_error_code() == f"{unit}.ProcessError"
    return buffer.get_error_msg()
