"""Images in other sizes."""

import numpy as np
from numpy.typing import NDArray

from server.flow.units.images import Pixels

_BITS = 11
_ONE = 1 << _BITS


def bilinear(pixels: Pixels, height: int, width: int) -> Pixels:
    """Each new pixel's centre, weighted between the four old ones around it; at the rim, between those that exist.

    The weights are whole 2048ths, as OpenCV's INTER_LINEAR has them: of random images in random sizes, more than
    99 % of the values are OpenCV's, and the others differ by 1. Like it, and unlike an area filter, it skips
    pixels when it makes an image less than half as large.
    """
    upper, lower, down = _neighbours(pixels.shape[0], height)
    left, right, across = _neighbours(pixels.shape[1], width)
    used, places = np.unique(np.concatenate((upper, lower)), return_inverse=True)
    source = pixels[used]
    rows = np.take(source, left, axis=1).astype(np.int32)
    difference = np.take(source, right, axis=1) - rows
    difference *= across[:, None]
    rows <<= _BITS
    rows += difference
    rows >>= 4  # or the products below have more than 31 bits
    top, bottom = rows[places[:height]], rows[places[height:]]
    weight = down[:, None, None]
    top *= _ONE - weight
    top >>= 16
    bottom *= weight
    bottom >>= 16
    top += bottom
    top += 2
    top >>= 2
    return top.astype(np.uint8)


def nearest(pixels: Pixels, height: int, width: int) -> Pixels:
    """Each new pixel is the old one that its upper left corner, not its centre, falls into: so does OpenCV's
    INTER_NEAREST, whose results these are to the bit."""
    rows, columns = _corners(pixels.shape[0], height), _corners(pixels.shape[1], width)
    return np.take(pixels[rows], columns, axis=1)


def _neighbours(old: int, new: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int32]]:
    """For each new index the old ones around its centre, and the second one's weight in 2048ths."""
    centres = ((np.arange(new) + 0.5) * (old / new) - 0.5).clip(0, old - 1).astype(np.float32)
    first = np.minimum(centres.astype(np.intp), old - 1)
    weights = np.rint((centres - first) * _ONE).astype(np.int32)
    return first, np.minimum(first + 1, old - 1), weights


def _corners(old: int, new: int) -> NDArray[np.intp]:
    # the reciprocal of a reciprocal: at exact multiples the rounding decides, and this is OpenCV's
    return np.minimum((np.arange(new) * (1 / (new / old))).astype(np.intp), old - 1)
