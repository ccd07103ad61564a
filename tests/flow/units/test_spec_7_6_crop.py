"""Spec 7.6, row crop."""

import struct

import numpy as np
import pytest

from server.flow.unitapi import Buffer
from tests.flow.units.images import image, message_of, metas_for, metas_of, noise
from tests.flow.units.support import run_unit

PIXELS = noise(8, 10)


def region(*numbers: int) -> Buffer:
    return Buffer(None, np.array(numbers, np.int32))


async def test_7_6_crop_cuts_the_region_out_and_copies_no_other_meta() -> None:
    script = await run_unit("crop", {}, [image(PIXELS, pix_fmt="bgr", mine=1)], second=[region(2, 1, 5, 4)])
    assert metas_of(script.seen[0]) == metas_for(4, 5, "bgr")
    assert np.array_equal(np.asarray(script.seen[0]), PIXELS[1:5, 2:7])


async def test_7_6_crop_the_region_may_be_packed_bytes() -> None:
    packed = Buffer(None, struct.pack("=4i", 2, 1, 5, 4))
    script = await run_unit("crop", {}, [image(PIXELS)], second=[packed])
    assert np.array_equal(np.asarray(script.seen[0]), PIXELS[1:5, 2:7])


@pytest.mark.parametrize("whole", [(0, 0, 10, 8), (9, 7, 1, 1)])
async def test_7_6_crop_a_region_may_touch_the_rim(whole: tuple[int, ...]) -> None:
    x, y, width, height = whole
    script = await run_unit("crop", {}, [image(PIXELS)], second=[region(*whole)])
    assert np.array_equal(np.asarray(script.seen[0]), PIXELS[y : y + height, x : x + width])


@pytest.mark.parametrize(
    "outside",
    [
        (-1, 0, 2, 2),
        (0, -1, 2, 2),
        (9, 0, 2, 2),
        (0, 7, 2, 2),
        (0, 0, 0, 2),
        (0, 0, 2, -1),
        (2**31 - 1, 0, 2**31 - 1, 1),
    ],
)
async def test_7_6_crop_a_region_that_is_not_inside_is_an_error_of_its_own(outside: tuple[int, ...]) -> None:
    """ModelBox fails the whole call. A region without pixels is refused, too: no unit takes such an image."""
    regions = [region(0, 0, 1, 1), region(*outside), region(1, 1, 1, 1)]
    script = await run_unit("crop", {}, [image(PIXELS)] * 3, second=regions)
    assert [each.has_error() for each in script.seen] == [False, True, False]
    words = message_of(script.seen[1], "crop")
    x, y, width, height = outside
    assert words.startswith(f"roi box param is invaild ! x {x}, y {y}, width {width}, height {height} is not")
    assert "image of 10 x 8" in words


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (np.array([0, 0, 1, 1]), "in_region has 32 bytes of type INT64"),
        (np.array([0, 0, 1, 1], np.float32), "in_region has 16 bytes of type FLOAT"),
        (np.array([0, 0, 1], np.int32), "in_region has 12 bytes of type INT32"),
        (b"", "in_region has 0 bytes of type UINT8"),
        (bytes(24), "in_region has 24 bytes of type UINT8"),
    ],
)
async def test_7_6_crop_a_region_of_another_format_is_an_error(data: object, words: str) -> None:
    script = await run_unit("crop", {}, [image(PIXELS)], second=[Buffer(None, data)])
    found = message_of(script.seen[0], "crop")
    assert found.startswith(f"roi box param is invaild ! {words}, it must be four int32")


async def test_7_6_crop_every_image_gets_its_own_region() -> None:
    """ModelBox: lists of unequal size are an error. The engine matches buffers, so lists of a call are equal."""
    regions = [region(column, 0, 1, 1) for column in range(10)]
    script = await run_unit("crop", {}, [image(PIXELS)] * 10, second=regions)
    assert [np.asarray(each)[0, 0].tolist() for each in script.seen] == PIXELS[0].tolist()
