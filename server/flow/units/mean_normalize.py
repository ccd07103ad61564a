"""mean and normalize: numbers of each channel subtracted, or multiplied (spec 7.6)."""

import math

import numpy as np
from numpy.typing import NDArray

from server.flow.unitapi import Buffer, Configuration, DataContext, FlowUnit, Status, UnitStatusCode
from server.flow.unitapi.buffer import DataType
from server.flow.unitapi.flowunit import Returned
from server.flow.units import image_options
from server.flow.units.images import CHANNELS, ImageError, check_type, each_position, flat, required


class Mean(FlowUnit):
    def open(self, config: Configuration) -> Returned:
        try:
            self._mean = _column(image_options.three_numbers(config, "mean"))
        except ValueError as error:
            return Status(UnitStatusCode.STATUS_BADCONF, str(error))
        return UnitStatusCode.STATUS_SUCCESS

    def process(self, data_ctx: DataContext) -> Returned:
        return each_position(data_ctx, "mean", ("in_data",), "out_data", self._subtracted)

    def _subtracted(self, buffer: Buffer) -> Buffer:
        planes = _planes_of(buffer)
        with np.errstate(all="ignore"):
            planes -= self._mean
        return _result(buffer, planes)


class Normalize(FlowUnit):
    def open(self, config: Configuration) -> Returned:
        try:
            self._factors = _column(image_options.three_numbers(config, "standard_deviation_inverse"))
        except ValueError as error:
            return Status(UnitStatusCode.STATUS_BADCONF, str(error))
        return UnitStatusCode.STATUS_SUCCESS

    def process(self, data_ctx: DataContext) -> Returned:
        return each_position(data_ctx, "normalize", ("in_data",), "out_data", self._multiplied)

    def _multiplied(self, buffer: Buffer) -> Buffer:
        planes = _planes_of(buffer)
        with np.errstate(all="ignore"):
            planes *= self._factors
        return _result(buffer, planes)


def _column(numbers: tuple[float, ...]) -> NDArray[np.float32]:
    return np.array(numbers, np.float32)[:, None]


def _planes_of(buffer: Buffer) -> NDArray[np.float32]:
    """Shape (3, elements of a channel): the data's thirds, whatever its layout says, as in ModelBox. A copy.

    Raises: ImageError, when type or shape are missing or are not those of the data, or it has no equal thirds.
    """
    element = check_type(buffer, DataType.FLOAT, DataType.UINT8)
    data = flat(buffer, np.float32 if element is DataType.FLOAT else np.uint8)
    shape = required(buffer, "shape")
    if not isinstance(shape, list | tuple) or not all(isinstance(size, int | np.integer) for size in shape):
        raise ImageError(f"meta shape is {shape!r:.60}, it must be a list of whole numbers")
    if any(size < 0 for size in shape) or math.prod(shape) != data.size:
        words = f"meta shape is {shape!r:.60}, but the data has {data.size} elements of {element.name}"
        raise ImageError(f"{words}: the metas shape and type must be those of the data")
    if data.size % CHANNELS:
        raise ImageError(f"the data has {data.size} elements, which is no equal number for each of three channels")
    return data.reshape(CHANNELS, data.size // CHANNELS).astype(np.float32)


def _result(buffer: Buffer, planes: NDArray[np.float32]) -> Buffer:
    made = Buffer(buffer)
    made.build(planes.reshape(buffer._metas["shape"]))
    return made
